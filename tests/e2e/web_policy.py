"""web_policy - a domain that publishes by the web how its hosts speak TLS (RFC 8461)."""

import http.server
import ssl
import tempfile
import threading

import certificates
from relay_world import Net

PLACE = "/.well-known/mta-sts.txt"


def policy_of(mx, mode="enforce"):
    return f"version: STSv1\r\nmode: {mode}\r\nmx: {mx}\r\nmax_age: 86400\r\n"


class WebServer:
    """Answers every request with what `say` holds: (status, type, text)."""

    def __init__(self, address, pem):
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):    # pylint: disable=invalid-name
                outer.asked.append((self.headers["Host"].split(":")[0], self.path))
                status, kind, text = outer.say
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Location", "https://elsewhere.test/")
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *_words):    # pylint: disable=arguments-differ
                pass

        self.say, self.asked = (200, "text/plain", ""), []
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem, pem[:-4] + ".key")
        self.server = http.server.ThreadingHTTPServer((address, 0), Handler)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True,
                                                 do_handshake_on_connect=False)
        self.server.handle_error = lambda *_request: None    # a client that hangs up
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *error):
        self.server.shutdown()
        self.server.server_close()


class PolicyNet(Net):
    """A small internet with an authority for certificates, and a domain with a policy."""

    def __init__(self, domain, policy, web=None, port=0, dns_port=0):
        """`web`: whom the web server's certificate names, when not itself."""
        super().__init__(port, dns_port)
        name, address = f"mta-sts.{domain}", self.next_address()
        self.folder = self.stack.enter_context(tempfile.TemporaryDirectory())
        self.ca = certificates.authority(self.folder)
        pem = certificates.signed(self.folder, web or name)
        self.web = self.stack.enter_context(WebServer(address, pem))
        self.web.say = (200, "text/plain", policy)
        self.name(name, address)
        self.dns.add(f"_mta-sts.{domain} TXT v=STSv1;id=1;")

    def sender(self, tls="may", more=""):
        """A server that knows the authority."""
        return self.server(relay=self.relay(f'ca = "{self.ca}"  mta_sts_port = {self.web.port}  '
                                            + more).replace("tls = none", f"tls = {tls}"))
