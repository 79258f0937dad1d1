package certs

import (
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"goqmail/receive/receivetest"
)

func TestCertificate(t *testing.T) {
	dir := receivetest.Control(t, map[string]string{"servercert.pem": receivetest.Certificate(t, "mx.test.example"), "secret.pem": "x"})
	for _, folder := range []string{"servercerts/b.test.example", "servercerts/broken.test.example.pem"} {
		if err := os.MkdirAll(filepath.Join(dir, folder), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for file, name := range map[string]string{"a.test.example.pem": "a.test.example", "b.test.example/servercert.pem": "b.test.example"} {
		if err := os.WriteFile(filepath.Join(dir, "servercerts", file), []byte(receivetest.Certificate(t, name)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for asked, want := range map[string]string{
		"": "mx.test.example", "other.example": "mx.test.example", "a.test.example": "a.test.example", "A.Test.Example.": "a.test.example",
		"b.test.example": "b.test.example", "../secret": "mx.test.example", "..": "mx.test.example", "a/b": "mx.test.example",
		strings.Repeat("a", 300): "mx.test.example", "broken.test.example": "",
	} {
		pair, err := Folder(dir).certificate(asked)
		if want == "" {
			if err == nil {
				t.Errorf("%q: no error", asked)
			}
			continue
		}
		if err != nil {
			t.Errorf("%q: %v", asked, err)
			continue
		}
		if cert, _ := x509.ParseCertificate(pair.Certificate[0]); cert.DNSNames[0] != want {
			t.Errorf("%q: the certificate is for %q, want %q", asked, cert.DNSNames[0], want)
		}
	}
	if !Folder(dir).Exist() || Folder(t.TempDir()).Exist() {
		t.Error("Exist is wrong")
	}
}
