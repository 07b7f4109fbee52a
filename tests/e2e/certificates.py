"""certificates - keys and certificates, made by openssl when a suite wants them."""

import datetime
import os
import ssl
import subprocess

from harness import need


AUTHORITY = """[ca]
default_ca = self
[self]
database = {folder}/{name}.index
new_certs_dir = {folder}
rand_serial = yes
unique_subject = no
default_md = sha256
policy = any
x509_extensions = names
[any]
commonName = supplied
[names]
subjectAltName = DNS:{host}
"""


def make(folder, name="mx", host="mx.example.test", days=90, key=None):
    """NAME.pem and NAME.key in the folder: self-signed, for this host, or "HOST,IP:ADDRESS", from a
    year ago until so many days from now.  `key`: openssl's words for a new one.  Returns the
    certificate's path."""
    openssl = need("openssl")
    base = os.path.join(folder, name)
    day = datetime.timedelta(days=1)
    now = datetime.datetime.now(datetime.timezone.utc)
    first, last = ((now + n * day).strftime("%Y%m%d%H%M%SZ") for n in (-365, days))
    with open(base + ".index", "w", encoding="ascii"):
        pass
    with open(base + ".ca", "w", encoding="ascii") as file:
        file.write(AUTHORITY.format(folder=folder, name=name, host=host))
    key = key or ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    for words in (["req", "-new", *key, "-nodes", "-keyout", base + ".key", "-subj",
                   f"/CN={host.split(',')[0]}", "-out", base + ".csr"],
                  ["ca", "-batch", "-notext", "-config", base + ".ca", "-selfsign", "-keyfile",
                   base + ".key", "-in", base + ".csr", "-startdate", first, "-enddate", last,
                   "-out", base + ".new"]):
        subprocess.run([openssl, *words], check=True, capture_output=True, timeout=60)
    os.replace(base + ".new", base + ".pem")
    return base + ".pem"


SIGNED = """[leaf]
subjectAltName = DNS:{host}
keyUsage = critical,digitalSignature
extendedKeyUsage = serverAuth
basicConstraints = critical,CA:FALSE
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
crlDistributionPoints = URI:http://crl.example.test/ca.crl
[authority]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
"""


def make_signed(folder, name="mx", host="mx.example.test"):
    """NAME.pem and NAME.key in the folder as an authority makes them, for 90 days.  Returns the
    paths of the certificate and of the authority's."""
    openssl = need("openssl")
    base, authority = os.path.join(folder, name), os.path.join(folder, "authority")
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    with open(base + ".ext", "w", encoding="ascii") as file:
        file.write("[req]\ndistinguished_name = dn\n[dn]\n" + SIGNED.format(host=host))
    for words in (["req", "-x509", "-config", base + ".ext", "-extensions", "authority", *curve,
                   "-days", "365", "-subj", "/CN=an authority", "-keyout", authority + ".key",
                   "-out", authority + ".pem"],
                  ["req", "-new", *curve, "-subj", f"/CN={host}", "-keyout", base + ".key", "-out",
                   base + ".csr"],
                  ["x509", "-req", "-in", base + ".csr", "-CA", authority + ".pem", "-CAkey",
                   authority + ".key", "-CAcreateserial", "-days", "90", "-extfile", base + ".ext",
                   "-extensions", "leaf", "-out", base + ".pem"]):
        subprocess.run([openssl, *words], check=True, capture_output=True, timeout=60)
    return base + ".pem", authority + ".pem"


P256 = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]


def run_openssl(*words):
    return subprocess.run([need("openssl"), *words], check=True, capture_output=True,
                          timeout=60).stdout


def authority(folder):
    """Makes an authority, ca.pem and ca.key in the folder; returns the certificate's path."""
    base = os.path.join(folder, "ca")
    run_openssl("req", "-x509", *P256, "-keyout", base + ".key", "-out", base + ".pem", "-days",
                "30", "-subj", "/CN=authority", "-addext", "basicConstraints=critical,CA:TRUE")
    return base + ".pem"


def signed(folder, host, authority_folder=None):
    """HOST.pem, with the authority's certificate behind it, and HOST.key; returns the first."""
    base = os.path.join(folder, host)
    by = os.path.join(authority_folder or folder, "ca")
    run_openssl("req", "-new", *P256, "-keyout", base + ".key", "-out", base + ".csr", "-subj",
                f"/CN={host}", "-addext", f"subjectAltName=DNS:{host}")
    leaf = run_openssl("x509", "-req", "-in", base + ".csr", "-CA", by + ".pem", "-CAkey",
                       by + ".key", "-CAcreateserial", "-days", "30", "-copy_extensions", "copyall")
    with open(by + ".pem", "rb") as own, open(base + ".pem", "wb") as both:
        both.write(leaf + own.read())
    return base + ".pem"


def trusting(certificate=None, **settings):
    """A client's context: trusts this certificate only, or, without, anybody."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if certificate:
        context.load_verify_locations(certificate)
    else:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    for name, value in settings.items():
        setattr(context, name, value)
    return context


def serial(path):
    """The serial number in a PEM file, as Python's getpeercert() writes it."""
    return ssl._ssl._test_decode_cert(path)["serialNumber"]  # pylint: disable=protected-access
