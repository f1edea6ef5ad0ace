// Sends one mail with Jakarta Mail. The job is lines of name=value on standard input; see angarium.testing.clients.
import jakarta.mail.Message;
import jakarta.mail.Session;
import jakarta.mail.Transport;
import jakarta.mail.internet.InternetAddress;
import jakarta.mail.internet.MimeMessage;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.util.Properties;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLSocketFactory;
import javax.net.ssl.TrustManagerFactory;

public class SendMail {
    public static void main(String[] arguments) throws Exception {
        Properties job = new Properties();
        job.load(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        Properties settings = new Properties();
        settings.put("mail.smtp.host", job.getProperty("host"));
        settings.put("mail.smtp.port", job.getProperty("port"));
        settings.put("mail.smtp.auth", "true");
        if (!job.getProperty("mechanism").isEmpty()) {
            settings.put("mail.smtp.auth.mechanisms", job.getProperty("mechanism"));
        }
        boolean fromTheStart = job.getProperty("tls").equals("tls");
        settings.put(fromTheStart ? "mail.smtp.ssl.enable" : "mail.smtp.starttls.required", "true");
        settings.put("mail.smtp.starttls.enable", "true");
        settings.put("mail.smtp.ssl.socketFactory", socketsThatTrust(job.getProperty("ca")));
        settings.put("mail.smtp.ssl.checkserveridentity", "true");

        Session session = Session.getInstance(settings);
        MimeMessage message = new MimeMessage(session);
        message.setFrom(new InternetAddress(job.getProperty("sender")));
        message.setRecipients(Message.RecipientType.TO, InternetAddress.parse(job.getProperty("recipients")));
        message.setSubject(job.getProperty("subject"), "UTF-8");
        message.setText(job.getProperty("text"), "UTF-8");
        for (String name : job.stringPropertyNames()) {
            if (name.startsWith("header.")) {
                message.setHeader(name.substring(7), job.getProperty(name));
            }
        }
        Transport.send(message, job.getProperty("user"), job.getProperty("password"));
        System.out.println("sent");
    }

    private static SSLSocketFactory socketsThatTrust(String file) throws Exception {
        KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
        store.load(null, null);
        try (InputStream pem = Files.newInputStream(Path.of(file))) {
            store.setCertificateEntry("node", CertificateFactory.getInstance("X.509").generateCertificate(pem));
        }
        TrustManagerFactory trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        trust.init(store);
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(null, trust.getTrustManagers(), null);
        return context.getSocketFactory();
    }
}
