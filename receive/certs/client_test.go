package certs

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"goqmail/receive/receivetest"
)

// authority is one that makes certificates for clients.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &authority{cert, key}
}

// client makes a certificate for a mail address.
func (a *authority) client(t *testing.T, serial int64, addr string) tls.Certificate {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	if old, ok := strings.CutPrefix(addr, "subject:"); ok {
		template.Subject.ExtraNames = []pkix.AttributeTypeAndValue{{Type: emailAddress, Value: old}}
	} else {
		template.EmailAddresses = []string{addr}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &a.key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: a.key}
}

// revokes makes a list of what is revoked.
func (a *authority) revokes(t *testing.T, until time.Time, serials ...int64) string {
	t.Helper()
	list := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: time.Now().Add(-time.Hour), NextUpdate: until}
	for _, n := range serials {
		list.RevokedCertificateEntries = append(list.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: big.NewInt(n), RevocationTime: time.Now().Add(-time.Hour)})
	}
	der, err := x509.CreateRevocationList(rand.Reader, list, a.cert, a.key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der}))
}

func (a *authority) pem() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw}))
}

// meets has a client with some certificates meet a server, and returns what the
// server has of it.
func meets(t *testing.T, folder Folder, config *tls.Config) (conn *tls.Conn, asked bool, err error) {
	t.Helper()
	here, there := net.Pipe()
	t.Cleanup(func() { here.Close(); there.Close() })
	certs := config.Certificates
	config = config.Clone()
	config.Certificates, config.InsecureSkipVerify = nil, true
	config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		asked = true
		if len(certs) == 0 {
			return &tls.Certificate{}, nil
		}
		return &certs[0], nil
	}
	done := make(chan error, 1)
	go func() {
		err := tls.Client(here, config).Handshake()
		if err != nil {
			here.Close()
		}
		done <- err
	}()
	conn, err = folder.Server(there)
	there.SetDeadline(time.Now())
	<-done
	return conn, asked, err
}

func TestClient(t *testing.T) {
	known, stranger := newAuthority(t), newAuthority(t)
	later, before := time.Now().Add(time.Hour), time.Now().Add(-time.Minute)
	for _, tt := range []struct {
		name   string
		shows  []tls.Certificate
		crl    string
		want   string
		broken bool
	}{
		{"nothing", nil, "", "", false},
		{"known", []tls.Certificate{known.client(t, 7, "joe@example.org")}, "", "joe@example.org", false},
		{"in the subject", []tls.Certificate{known.client(t, 7, "subject:joe@example.org")}, "", "joe@example.org", false},
		{"other address", []tls.Certificate{known.client(t, 7, "ann@example.org")}, "", "", false},
		{"other authority", []tls.Certificate{stranger.client(t, 7, "joe@example.org")}, "", "", true},
		{"not revoked", []tls.Certificate{known.client(t, 7, "joe@example.org")}, known.revokes(t, later, 8), "joe@example.org", false},
		{"revoked", []tls.Certificate{known.client(t, 7, "joe@example.org")}, known.revokes(t, later, 8, 7), "", true},
		{"old list", []tls.Certificate{known.client(t, 7, "joe@example.org")}, known.revokes(t, before), "", true},
		{"list of another", []tls.Certificate{known.client(t, 7, "joe@example.org")}, stranger.revokes(t, later), "", true},
		{"no list", []tls.Certificate{known.client(t, 7, "joe@example.org")}, "rubbish", "", true},
	} {
		files := map[string]string{"servercert.pem": receivetest.Certificate(t, "mx.test.example"), "tlsclients": "joe@example.org\n", "clientca.pem": known.pem()}
		if tt.crl != "" {
			files["clientcrl.pem"] = tt.crl
		}
		folder := Folder(receivetest.Control(t, files))
		conn, asked, err := meets(t, folder, &tls.Config{Certificates: tt.shows})
		if err != nil || !asked {
			t.Fatalf("%s: asked %v, %v", tt.name, asked, err)
		}
		got, err := folder.Client(conn, time.Now())
		if got != tt.want || (err != nil) != tt.broken {
			t.Errorf("%s: %q, %v, want %q", tt.name, got, err, tt.want)
		}
	}
}

// TestNotAsked has no client asked for a certificate that is of no use.
func TestNotAsked(t *testing.T) {
	for _, file := range []string{"tlsclients", "clientca.pem"} {
		folder := Folder(receivetest.Control(t, map[string]string{
			"servercert.pem": receivetest.Certificate(t, "mx.test.example"), "tlsclients": "joe@example.org\n", "clientca.pem": newAuthority(t).pem()}))
		os.Remove(filepath.Join(string(folder), file))
		if _, asked, err := meets(t, folder, &tls.Config{}); asked || err != nil {
			t.Errorf("without %s: asked %v, %v", file, asked, err)
		}
	}
}

func TestCiphers(t *testing.T) {
	const suite = tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384
	folder := Folder(receivetest.Control(t, map[string]string{
		"servercert.pem": receivetest.Certificate(t, "mx.test.example"), "tlsserverciphers": "ECDHE-ECDSA-AES256-GCM-SHA384\n"}))
	conn, _, err := meets(t, folder, &tls.Config{MaxVersion: tls.VersionTLS12})
	if err != nil {
		t.Fatal(err)
	}
	if version, cipher := Version(conn); version != "TLS1.2" || cipher != tls.CipherSuiteName(suite) {
		t.Errorf("%s %s", version, cipher)
	}
	if _, _, err := meets(t, folder, &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}); err == nil {
		t.Error("TLS 1.1 is spoken")
	}
	if err := folder.Check(); err != nil {
		t.Error(err)
	}
	os.WriteFile(filepath.Join(string(folder), "tlsclients"), []byte("x\n"), 0o600)
	os.WriteFile(filepath.Join(string(folder), "clientca.pem"), []byte("rubbish"), 0o600)
	if folder.Check() == nil {
		t.Error("nothing is wrong with clientca.pem")
	}
}
