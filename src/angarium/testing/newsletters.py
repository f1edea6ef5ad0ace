"""Mail as newsletters are sent: what generators, editors and mail programs write, with its faults. Made by hand."""

import base64
import quopri
from collections.abc import Callable
from typing import NamedTuple

MJML = """<!doctype html><html xmlns="http://www.w3.org/1999/xhtml" xmlns:v="urn:schemas-microsoft-com:vml"
 xmlns:o="urn:schemas-microsoft-com:office:office"><head><title></title><!--[if !mso]><!-->
<meta http-equiv="X-UA-Compatible" content="IE=edge"><!--<![endif]-->
<style type="text/css">#outlook a { padding:0; } a[href="http://not.a.link.test/"] { color: red }
@media only screen and (min-width:480px) { .mj-column-per-100 { width:100% !important; } }</style>
<!--[if mso]><noscript><xml><o:OfficeDocumentSettings><o:AllowPNG/></o:OfficeDocumentSettings></xml></noscript>
<![endif]--></head><body style="word-spacing:normal;background-color:#F4F4F4;">
<div style="display:none;font-size:1px;max-height:0px;overflow:hidden;">Preview &#847; &zwnj; &nbsp; &#8199; WORD</div>
<div role="article" aria-roledescription="email">
<!--[if mso | IE]><table align="center" border="0" style="width:600px;"><tr><td><a href="http://mso.test/">x</a>
<v:rect fill="true"><v:fill src="http://img.test/bg.png" /></v:rect><![endif]-->
<table align="center" border="0" cellpadding="0" role="presentation"><tbody><tr><td
 style="direction:ltr;padding:20px 0;text-align:center;"><a
   href="https://shop.test/sale?utm_source=news&amp;utm_medium=mail&amp;id=1"
   target="_blank"><img alt="The &quot;SALE&quot; > all" src="https://img.test/hero.jpg" width="600"></a></td></tr>
<tr><td bgcolor="#e85034"><p style="display:inline-block;"><a class='button' href='https://shop.test/buy?f[0]=a&f[1]=b'>
WORD</a></p></td></tr></tbody></table><!--[if mso | IE]></td></tr></table><![endif]-->
<a href="mailto:help@shop.test?subject=x">mail</a> <a href="tel:+491234">call</a> <a href="#top">top</a>
</div></body></html>
"""

OUTLOOK = """<html xmlns:o="urn:schemas-microsoft-com:office:office"><head>
<meta name=Generator content="Microsoft Word 15">
<style><!--
/* Font Definitions */ @font-face {font-family:Calibri;} a:link {color:#0563C1;} <a href="http://in.a.style.test">
--></style><!--[if gte mso 9]><xml><o:shapedefaults v:ext="edit" spidmax="1026" /></xml><![endif]--></head>
<body lang=DE link="#0563C1" vlink="#954F72"><div class=WordSection1><p class=MsoNormal><span style='font-size:11.0pt'>
WORD,<o:p></o:p></span></p><p class=MsoNormal><a href="https://intranet.test/Shared%20Documents/A%26B.docx?web=1"><span
lang=EN-US>Shared Documents</span></a><![if !supportLists]><span>&#8226;</span><![endif]>
<a href="http://www.test.test/#a=b">http://www.test.test/</a><o:p>&nbsp;</o:p></p></div></body></html>
"""

BROKEN = """<table><tr><td><b><p>WORD</b></p><a href=https://one.test/?a=1&copy=2&reg;=3 class=x>one<a href="https://two.test/
   "
 title="a>b" href="https://ignored.test">two</td></div></span>
<A
	HREF
	=
	"https://three.test/"
>three</A foo><a name=x>no</a><a href>no</a><a href="">no</a><a/href="https://four.test/"/>four</a>
< a href="https://no.tag.test">text</a><p title='<a href="https://in.an.attribute.test">'>
<script>var x = '<a href="https://in.a.script.test">';</script><textarea><a href="https://in.a.textarea.test"></textarea>
<xmp><a href="https://in.xmp.test"></xmp><!-- <a href="https://in.a.comment.test"> --> <!--> <a href="https://five.test/">
</body></html><a href="https://behind.the.end.test/">x</a><area href='https://six.test/'><a href="https://7.test/
"""

UNUSUAL = """<p>WORD</p><a href="HTTPS://User:Pw@CAPS.test:8443/P%41th;v=1?q=%E4&#38;r=&amp;amp;#frag">x</a>
<a href="&#104;ttp://dec.test/">x</a><a href="&#x68;ttp://hex.test/">x</a><a href=" http://blank.test/ ">x</a>
<a href="http://a.test/?u=http://b.test/%3Fhref=%22x%22">x</a><a href="http://[2001:db8::1]/">x</a>
<a href="http://a.test/&lt;&gt;&quot;&apos;">x</a><a href="javascript:alert(1)">x</a><a href="//rel.test/">x</a>
<a href="ftp://f.test/">x</a><a href="data:text/html,x">x</a><a href="http:///nohost">x</a>
<a href="http:/one.test">x</a>
<svg><a xlink:href="http://svg.test/" href="http://svg-href.test/">x</a></svg><base href="http://base.test/">
<form action="http://form.test/"><button>x</button></form><link rel="x" href="http://link.test/">
"""

DOCUMENTS = {"mjml": MJML, "outlook": OUTLOOK, "broken": BROKEN, "unusual": UNUSUAL}

WORDS = {
    "utf-8": "Größe – “ja” 🎉 жук",
    "iso-8859-1": "Größe ¡sí!",
    "windows-1252": "Größe – “ja” €",
    "koi8-r": "Скидки сегодня",
    "shift_jis": "表示ソ能",
    "gb18030": "你好世界",
    "us-ascii": "sale",
}
"""Of each charset a word; those of Shift_JIS and GB 18030 have bytes of ASCII within."""


def soft_breaks(data: bytes) -> bytes:
    """Quoted-printable with lines as short as some programs write them, and in small letters."""
    encoded = (
        quopri.encodestring(data.replace(b"\r\n", b"\n")).replace(b"=\n", b"\n=\n").replace(b"\n=\n", b"=\n")
    )
    return encoded.replace(b"\n", b"\r\n")


def odd_base64(data: bytes) -> bytes:
    """Base64 in lines of 64 characters, with LF alone."""
    text = base64.b64encode(data)
    return b"\n".join(text[at : at + 64] for at in range(0, len(text), 64)) + b"\n"


ENCODINGS: dict[str, Callable[[bytes], bytes]] = {
    "8bit": bytes,
    "quoted-printable": soft_breaks,
    "base64": odd_base64,
}


class CorpusMail(NamedTuple):
    """A message, and the HTML document that readers see, in its charset."""

    message: bytes
    html: bytes
    charset: str


def mail_of(document: str, charset: str, encoding: str, shape: str) -> CorpusMail:
    """Return a mail of that document."""
    html = document.replace("WORD", WORDS[charset]).replace("\n", "\r\n").encode(charset, "xmlcharrefreplace")
    part = (
        f'Content-Type: text/html;\r\n\tcharset="{charset}"\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n'.encode()
        + ENCODINGS[encoding](html)
    )
    return CorpusMail(SHAPES[shape](part), html, charset)


_TOP = (
    b"Received: from x\r\n\tby y; z\r\nFrom: =?utf-8?q?B=C3=A4r?= <a@b.test>\r\nSubject: News\r\n"
    b"MIME-Version: 1.0\r\n"
)
_PNG = b"Content-Type: image/png\r\nContent-ID: <logo>\r\nContent-Transfer-Encoding: base64\r\n\r\niVBORw0KGgo=\r\n"
_PLAIN = b"Content-Type: text/plain; charset=utf-8\r\n\r\nSee --=_x and\r\n ===x=== or --b\r\n"
_FORWARDED = (
    b"Content-Type: message/rfc822\r\n\r\nSubject: within\r\nContent-Type: text/html\r\n\r\n"
    b"<a href='http://within.test'>x</a>\r\n"
)
_ATTACHED = b"Content-Type: text/html; name=a.html\r\nContent-Disposition: attachment\r\n\r\n<a href='http://att.test'>x</a>\r\n"


def _multi(kind: str, boundary: str, *parts: bytes, top: bytes = b"") -> bytes:
    head = top + f'Content-Type: multipart/{kind}; boundary="{boundary}"\r\n\r\n'.encode()
    lines = [b"--%b\r\n%b\r\n" % (boundary.encode(), part) for part in parts]
    return head + b"preamble\r\n" + b"".join(lines) + b"--%b--\r\nepilogue --b\r\n" % boundary.encode()


SHAPES: dict[str, Callable[[bytes], bytes]] = {
    "single": lambda html: _TOP + html,
    "alternative": lambda html: _multi("alternative", "===============12==", _PLAIN, html, top=_TOP),
    "related": lambda html: _multi(
        "mixed",
        "b",
        _multi("alternative", "b:inner", _PLAIN, _multi("related", "----=_Part 7?=", html, _PNG)),
        _ATTACHED,
        _FORWARDED,
        top=_TOP,
    ),
}
