# The steps of script/package: functions that build in build/ and leave what they have made in dist/, where they say it.

version=$(sed -n 's/^__version__ = "\(.*\)"/\1/p' src/angarium/__init__.py)
pip=(.venv/bin/python -m pip --quiet --disable-pip-version-check)

build_manual() {
    rm -rf build/share
    .venv/bin/python packaging/manual.py build/share
}

build_wheel() {
    build_manual
    mkdir -p dist
    rm -f dist/angarium-"$version"-*.whl
    "${pip[@]}" wheel --no-deps --no-build-isolation --wheel-dir dist .
    echo dist/angarium-"$version"-*.whl
}

# A virtual environment that works at /opt/angarium alone, made from the lock file and the wheel. It is root's: what Python
# would compile at the first start is compiled here, and holds whatever the times of the files are.
build_environment() {
    local root=$1 home=$1/opt/angarium
    /usr/bin/python3 -m venv --without-pip "$home"
    "${pip[@]}" --python "$home/bin/python" install --no-compile --require-hashes -r requirements.lock
    "${pip[@]}" --python "$home/bin/python" uninstall --yes hatchling editables pathspec pluggy trove-classifiers packaging
    "${pip[@]}" --python "$home/bin/python" install --no-compile --no-deps --no-index dist/angarium-"$version"-*.whl
    "${pip[@]}" --python "$home/bin/python" check
    find "$home/bin" -mindepth 1 ! -name 'python*' ! -name angarium -delete
    sed -i '1s|.*|#!/opt/angarium/bin/python3 -I|' "$home/bin/angarium"
    sed -i -E '/^(executable|command) = /d' "$home/pyvenv.cfg"
    rm -rf "$home/share" "$home/include"
    find "$home" -name __pycache__ -prune -exec rm -rf {} +
    "$home/bin/python" -m compileall -q -s "$root" -p / --invalidation-mode unchecked-hash "$home/lib"
}

# Where Debian has the files of a service, beside /opt.
build_tree() {
    local root=$1 doc=$1/usr/share/doc/angarium
    mkdir -p "$root"/{usr/bin,etc/angarium,lib/systemd/system,usr/share/man} "$doc"
    ln -s /opt/angarium/bin/angarium "$root/usr/bin/angarium"
    install -m 0644 packaging/angarium.conf "$root/etc/angarium/"
    install -m 0644 packaging/angarium.service packaging/angarium.socket "$root/lib/systemd/system/"
    cp -r build/share/man/man1 "$root/usr/share/man/"
    cp -r build/share/bash-completion build/share/fish "$root/usr/share/"
    install -D -m 0644 build/share/zsh/site-functions/_angarium "$root/usr/share/zsh/vendor-completions/_angarium"
    cp -r docs/* README.md "$doc/"
    gzip -9n "$root"/usr/share/man/man1/*
    gzip -9nc CHANGELOG.md > "$doc/changelog.gz"
    printf 'angarium (%s) stable; urgency=medium\n\n  * Built by script/package.\n\n -- %s  %s\n' "$2" \
        "Angarium maintainers <maintainers@angarium.invalid>" "$(date -R)" | gzip -9n > "$doc/changelog.Debian.gz"
    copyright > "$doc/copyright"
}

copyright() {
    cat <<'END'
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: angarium
Comment: The packages of Python in /opt/angarium/lib have their licences beside them, in the folders that end in dist-info.

Files: *
Copyright: 2026 the Angarium maintainers
License: Apache-2.0
 On Debian systems the full text is in /usr/share/common-licenses/Apache-2.0.
END
}

control() {
    local root=$1
    sed -e "s/@VERSION@/$2/" -e "s/@ARCHITECTURE@/$(dpkg --print-architecture)/" \
        -e "s/@SIZE@/$(du -sk --exclude=DEBIAN "$root" | cut -f1)/" "packaging/deb/$3.control" > "$root/DEBIAN/control"
}

# The tree of angarium_….deb, and that of angarium-mta_….deb, which has links alone.
build_trees() {
    local full=$1 root=build/deb/angarium mta=build/deb/angarium-mta page
    build_wheel
    rm -rf build/deb
    mkdir -p "$root/DEBIAN" "$mta"/{DEBIAN,usr/sbin,usr/lib,usr/bin,usr/share/man/man1,usr/share/doc}
    build_environment "$PWD/$root"
    build_tree "$root" "$full"
    install -m 0755 packaging/deb/{postinst,prerm,postrm} "$root/DEBIAN/"
    install -m 0644 packaging/deb/templates "$root/DEBIAN/"
    echo /etc/angarium/angarium.conf > "$root/DEBIAN/conffiles"

    ln -s /opt/angarium/bin/angarium "$mta/usr/sbin/sendmail"
    ln -s ../sbin/sendmail "$mta/usr/lib/sendmail"
    ln -s ../sbin/sendmail "$mta/usr/bin/mailq"
    ln -s ../sbin/sendmail "$mta/usr/bin/newaliases"
    for page in sendmail mailq newaliases; do
        ln -s angarium-sendmail.1.gz "$mta/usr/share/man/man1/$page.1.gz"
    done
    ln -s angarium "$mta/usr/share/doc/angarium-mta"
}

pack_debs() {
    local full=$1 package
    rm -f dist/angarium_*.deb dist/angarium-mta_*.deb
    for package in angarium angarium-mta; do
        control "build/deb/$package" "$full" "$package"
        chmod -R u+rwX,go+rX,go-w "build/deb/$package"
        dpkg-deb --root-owner-group -Zzstd --build "build/deb/$package" dist
    done
}

build_deb() {
    build_trees "$version-$1"
    pack_debs "$version-$1"
}

# A Debian to begin with: an image of that name where BASE says so, else one that mmdebstrap makes from Debian's packages.
build_base() {
    local name=localhost/angarium-base container
    if [ -n "${BASE:-}" ]; then echo "$BASE"; return; fi
    mkdir -p build
    [ -f build/debian.tar ] || mmdebstrap --quiet --variant=apt --format=tar bookworm build/debian.tar
    container=$(buildah from scratch)
    buildah add --quiet "$container" build/debian.tar / >/dev/null
    buildah commit --quiet "$container" "$name" >/dev/null
    buildah rm "$container" >/dev/null
    echo "$name"
}

# --isolation chroot: no other program is needed, nor what a container in a container lacks. --format docker: the format of the
# OCI has no health check.
build_image() {
    local base
    base=$(build_base)
    buildah build --quiet --isolation chroot --format docker --build-arg "BASE=$base" \
        --file packaging/Containerfile --tag "localhost/angarium:$version" . >/dev/null
    rm -f "dist/angarium-$version.image.tar"
    buildah push --quiet "localhost/angarium:$version" "docker-archive:dist/angarium-$version.image.tar:angarium:$version"
    echo "dist/angarium-$version.image.tar"
}
