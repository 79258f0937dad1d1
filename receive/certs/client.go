package certs

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"goqmail/control"
)

// Files about clients that show certificates.
const (
	clientCA  = "clientca.pem"  // whom to believe
	clientCRL = "clientcrl.pem" // what they have revoked
	clients   = "tlsclients"    // the addresses that count
)

// askClient has clients asked for a certificate, if there is a use for it. That they
// have none is all right.
func (f Folder) askClient(files *control.Folder, c *tls.Config) error {
	if _, ok, err := files.List(clients); err != nil || !ok {
		return err
	}
	pool, err := f.authorities()
	if pool != nil {
		c.ClientAuth, c.ClientCAs = tls.RequestClientCert, pool
	}
	return err
}

// authorities are the certificates in clientca.pem, nil if there is no such file.
func (f Folder) authorities() (*x509.CertPool, error) {
	text, err := os.ReadFile(f.path(clientCA))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("control/%s has no certificate", clientCA)
	}
	return pool, nil
}

// Client returns the mail address in a client's certificate, if one that is in
// clientca.pem vouches for it, none that is in clientcrl.pem has revoked it, and the
// address is in tlsclients; otherwise "". An error says what is wrong with a
// certificate that was shown, or with the files.
func (f Folder) Client(conn *tls.Conn, now time.Time) (addr string, err error) {
	shown := conn.ConnectionState().PeerCertificates
	if len(shown) == 0 {
		return "", nil
	}
	pool, err := f.authorities()
	if err != nil || pool == nil {
		return "", err
	}
	others := x509.NewCertPool()
	for _, cert := range shown[1:] {
		others.AddCert(cert)
	}
	chains, err := shown[0].Verify(x509.VerifyOptions{
		Roots: pool, Intermediates: others, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	if err != nil {
		return "", err
	}
	if err := f.notRevoked(chains[0], now); err != nil {
		return "", err
	}
	files, err := control.Open(string(f))
	if err != nil {
		return "", err
	}
	lines, _, err := files.List(clients)
	known := control.Set(lines)
	for _, addr := range addresses(shown[0]) {
		if known.Has(addr) {
			return addr, err
		}
	}
	return "", err
}

// notRevoked looks a certificate up in clientcrl.pem, if there is that file: then
// whoever has issued it must have a list there that still counts.
func (f Folder) notRevoked(chain []*x509.Certificate, now time.Time) error {
	text, err := os.ReadFile(f.path(clientCRL))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		list, err := x509.ParseRevocationList(block.Bytes)
		if err != nil || len(chain) < 2 || !bytes.Equal(list.RawIssuer, chain[0].RawIssuer) || list.CheckSignatureFrom(chain[1]) != nil {
			continue
		}
		if list.NextUpdate.Before(now) {
			return fmt.Errorf("control/%s is out of date", clientCRL)
		}
		for _, revoked := range list.RevokedCertificateEntries {
			if revoked.SerialNumber.Cmp(chain[0].SerialNumber) == 0 {
				return fmt.Errorf("certificate %s is revoked", revoked.SerialNumber)
			}
		}
		return nil
	}
	return fmt.Errorf("control/%s has no list of the issuer", clientCRL)
}

// emailAddress is the attribute of a subject, PKCS #9.
var emailAddress = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 1}

// addresses are the mail addresses that a certificate is for.
func addresses(cert *x509.Certificate) []string {
	all := cert.EmailAddresses
	for _, name := range cert.Subject.Names {
		if text, ok := name.Value.(string); ok && name.Type.Equal(emailAddress) {
			all = append(all, text)
		}
	}
	return all
}
