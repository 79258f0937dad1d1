package remote

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// authority is a CA of a test.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  string
}

func newAuthority(t *testing.T) *authority {
	a := &authority{t: t}
	var der []byte
	template := &x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign, Subject: pkix.Name{CommonName: "CA " + rand.Text()}}
	a.key, der = a.sign(template, nil)
	a.cert, _ = x509.ParseCertificate(der)
	a.pem = pemOf("CERTIFICATE", der)
	return a
}

func pemOf(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

// sign makes a key and a certificate for it, by the CA or by itself.
func (a *authority) sign(template *x509.Certificate, ca *authority) (*ecdsa.PrivateKey, []byte) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	template.SerialNumber = big.NewInt(1)
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := template, key
	if ca != nil {
		parent, signer = ca.cert, ca.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		a.t.Fatal(err)
	}
	return key, der
}

// issue makes a certificate for names and addresses, and its key, both in PEM.
func (a *authority) issue(names ...string) (cert, key string) {
	a.t.Helper()
	template := &x509.Certificate{}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	private, der := a.sign(template, a)
	text, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		a.t.Fatal(err)
	}
	return pemOf("CERTIFICATE", der), pemOf("PRIVATE KEY", text)
}

// serve is the configuration of a server of that name.
func (a *authority) serve(names ...string) *tls.Config {
	a.t.Helper()
	cert, key := a.issue(names...)
	pair, err := tls.X509KeyPair([]byte(cert), []byte(key))
	if err != nil {
		a.t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{pair}}
}

// tlsHost plays a host that may have TLS. Each connection is played anew.
type tlsHost struct {
	config   *tls.Config // nil for no TLS
	implicit bool        // TLS from the first byte on
	offer    string      // keywords for EHLO in the clear, a blank between them
	offerTLS string      // and under TLS
	starttls string      // the reply to STARTTLS, if it is not 220
	garbage  bool        // after 220 comes no TLS
	auth     map[string][]string
	mail     string // the reply to MAIL, if it is not 250

	mu      sync.Mutex
	clear   strings.Builder // what was heard in the clear
	private strings.Builder // and under TLS
	states  []tls.ConnectionState
}

func (h *tlsHost) heard() (clear, private string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.clear.String(), h.private.String()
}

// hear reads a line.
func (h *tlsHost) hear(p *peer) string {
	line := p.hear()
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, ok := p.Conn.(*tls.Conn); ok {
		h.private.WriteString(line)
	} else {
		h.clear.WriteString(line)
	}
	return strings.TrimRight(line, "\r\n")
}

func (h *tlsHost) play(p *peer) {
	if h.implicit {
		if p = h.secure(p); p == nil {
			return
		}
	}
	p.say("220 x\r\n")
	for {
		line := h.hear(p)
		verb, rest, _ := strings.Cut(line, " ")
		switch verb {
		case "":
			return
		case "EHLO":
			p.say(h.ehlo(p))
		case "STARTTLS":
			if h.starttls != "" {
				p.say(h.starttls)
				if !strings.HasPrefix(h.starttls, "220") {
					continue
				}
			} else {
				p.say("220 go\r\n")
			}
			if h.garbage {
				p.in.ReadByte() // or it is data ahead of TLS
				p.say("this is not TLS\r\n")
				io.Copy(io.Discard, p.in)
				return
			}
			if p = h.secure(p); p == nil {
				return
			}
		case "AUTH":
			h.exchange(p, rest)
		case "DATA":
			p.say("354 go\r\n")
			for line := h.hear(p); line != "." && line != ""; line = h.hear(p) {
			}
			p.say("250 taken\r\n")
		case "QUIT":
			return
		case "MAIL":
			if h.mail != "" {
				p.say(h.mail)
				continue
			}
			p.say("250 ok\r\n")
		default:
			p.say("250 ok\r\n")
		}
	}
}

func (h *tlsHost) ehlo(p *peer) string {
	offer := h.offer
	if _, ok := p.Conn.(*tls.Conn); ok {
		offer = h.offerTLS
	}
	text := ""
	for _, keyword := range strings.Split(offer, "|") {
		if keyword != "" {
			text += "250-" + keyword + "\r\n"
		}
	}
	return "250-x\r\n" + text + "250 HELP\r\n"
}

// exchange plays AUTH: for each mechanism a reply to each line in turn.
func (h *tlsHost) exchange(p *peer, rest string) {
	name, _, _ := strings.Cut(rest, " ")
	replies := h.auth[name]
	if replies == nil {
		p.say("504 what?\r\n")
		return
	}
	for i, reply := range replies {
		if reply == "{close}" {
			p.Close()
			return
		}
		p.say(reply)
		if i < len(replies)-1 && h.hear(p) == "*" {
			p.say("501 cancelled\r\n")
			return
		}
	}
}

func (h *tlsHost) secure(p *peer) *peer {
	conn := tls.Server(p.Conn, h.config)
	if conn.Handshake() != nil {
		return nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.states = append(h.states, conn.ConnectionState())
	return newPeer(conn)
}

// files writes control files and returns their folder, in a home of its own.
func files(t *testing.T, texts map[string]string) string {
	t.Helper()
	folder := filepath.Join(t.TempDir(), "control")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range texts {
		path := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

// withFiles are settings with the control files about TLS, and routes.
func withFiles(t *testing.T, texts map[string]string) *Settings {
	t.Helper()
	texts["helohost"] = "me.test.example"
	s, err := ReadSettings(files(t, texts))
	if err != nil {
		t.Fatal(err)
	}
	s.Timeout, s.ConnectTimeout = 20*time.Second, 20*time.Second
	return s
}
