// Package certs finds the certificates of a server among its control files.
//
// # File format
//
// control/servercert.pem holds, in PEM and in any order, the private key and the
// certificates, the server's own before those that vouch for it. A host of several
// names may have control/servercerts/NAME.pem beside it, one for each name that
// clients ask for (SNI, RFC 6066), or NAME/servercert.pem there. A name is lower
// case letters, digits, dots and hyphens; any other gets servercert.pem.
//
// control/tlsserverciphers is a list of package ciphers. For clients with
// certificates of their own see [Folder.Client].
package certs

import (
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"goqmail/control"
	"goqmail/internal/ciphers"
)

// maxName is the longest name that is looked for.
const maxName = 253

// Folder is a folder of control files.
type Folder string

// Check reports what is wrong with servercert.pem, or with what else goes for TLS.
func (f Folder) Check() error {
	if _, err := f.read("servercert.pem"); err != nil {
		return err
	}
	_, err := f.config()
	return err
}

// Exist reports whether there is a servercert.pem that can be read.
func (f Folder) Exist() bool {
	file, err := os.Open(f.path("servercert.pem"))
	if err == nil {
		file.Close()
	}
	return err == nil
}

func (f Folder) path(name string) string { return filepath.Join(string(f), name) }

// handshakeTimeout is how long a client may take to agree on TLS.
const handshakeTimeout = time.Minute

// Server goes on with a client under TLS. Whatever else may be wrong, the error is
// that of the handshake.
func (f Folder) Server(conn net.Conn) (*tls.Conn, error) {
	config, err := f.config()
	if err != nil {
		return nil, err
	}
	secure := tls.Server(conn, config)
	conn.SetDeadline(time.Now().Add(handshakeTimeout))
	if err := secure.Handshake(); err != nil {
		return nil, err
	}
	return secure, conn.SetDeadline(time.Time{})
}

// config is that of a server with these certificates. They are read when a client
// comes, so that new ones count at once.
func (f Folder) config() (*tls.Config, error) {
	c := &tls.Config{
		MinVersion:             tls.VersionTLS12, // RFC 8996
		SessionTicketsDisabled: true,             // each connection has a key of its own
		GetCertificate:         func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) { return f.certificate(hello.ServerName) },
	}
	files, err := control.Open(string(f))
	if err != nil {
		return nil, err
	}
	list, _, err := files.Given("tlsserverciphers")
	if err != nil {
		return nil, err
	}
	c.CipherSuites = ciphers.Parse(list)
	return c, f.askClient(files, c)
}

// Version is what a connection under TLS speaks, without a blank, and its cipher.
func Version(conn *tls.Conn) (version, cipher string) {
	state := conn.ConnectionState()
	return strings.ReplaceAll(tls.VersionName(state.Version), " ", ""), tls.CipherSuiteName(state.CipherSuite)
}

// certificate returns that of a name, or the one for all.
func (f Folder) certificate(name string) (*tls.Certificate, error) {
	name = strings.TrimSuffix(strings.ToLower(name), ".")
	if isName(name) {
		for _, file := range []string{"servercerts/" + name + ".pem", "servercerts/" + name + "/servercert.pem"} {
			if _, err := os.Stat(f.path(file)); err == nil {
				return f.read(file)
			}
		}
	}
	return f.read("servercert.pem")
}

// isName keeps what a client asks for from leading anywhere else.
func isName(name string) bool {
	if name == "" || len(name) > maxName || name[0] == '.' {
		return false
	}
	for _, c := range []byte(name) {
		if !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '.') {
			return false
		}
	}
	return true
}

func (f Folder) read(name string) (*tls.Certificate, error) {
	data, err := os.ReadFile(f.path(name))
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(data, data)
	if err != nil {
		return nil, fmt.Errorf("control/%s: %w", name, err)
	}
	return &pair, nil
}
