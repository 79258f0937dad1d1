package remote

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"goqmail/control"
	"goqmail/internal/ciphers"
)

// TLSFiles is the [TLSPolicy] of the control files, and has this host's
// certificates. They are read when a server is met that has TLS, so that a change
// counts at once.
//
// # File format
//
// The first of these decides about a server; its name is that of the exchanger or
// relay, in lower case:
//
//   - tlshosts/NAME.pem: TLS, and a certificate of that name by one of the CAs in
//     the file, or one that is in the file itself, of whatever name. An empty file
//     stands for the CAs that the host knows.
//   - notlshosts/NAME, or tlshosts/exhaustivelist: no TLS.
//   - tlsdestinations; see [Destinations].
//
// Without any of them TLS is used where it is offered. The suites of TLS 1.2 and
// before are those in tlsclientciphers, see [ciphers].
//
// This host shows the certificate that domaincerts has for the sender's domain,
//
//	example.org:certs/example.org.pem|certs/example.org.key
//	*:certs/others.pem
//
// domain:certificate or domain:certificate|key, with the longest domain that the
// sender's ends in, or *; names of files count from the home. Otherwise it shows
// clientcert.pem, if that has a certificate and a key that can be read.
type TLSFiles struct{ Folder string }

// For is that of [TLSPolicy].
func (f TLSFiles) For(_ context.Context, host, server string) (Requirement, error) {
	need, err := f.level(plainName(host), plainName(server))
	if err != nil || need.Level == NoTLS || need.Suites != nil {
		return need, err
	}
	data, err := os.ReadFile(f.path("tlsclientciphers"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return need, errTLSLoad("control/tlsclientciphers", err)
	}
	need.Suites = ciphers.Parse(strings.ReplaceAll(string(data), "\n", ":"))
	return need, nil
}

func (f TLSFiles) path(name string) string { return filepath.Join(f.Folder, name) }

// inHome returns the path of a file that a control file names.
func (f TLSFiles) inHome(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(filepath.Dir(f.Folder), name)
}

// plainName is a name as files and rules have it: lower case, no dot at the end,
// addresses without brackets, and all in ASCII.
func plainName(name string) string {
	if addr, ok := literal(name); ok {
		return addr.String()
	}
	name, _ = asciiHost(name)
	return strings.TrimSuffix(lower(name), ".")
}

func (f TLSFiles) level(host, server string) (Requirement, error) {
	if server == "" || server[0] == '.' || len(server) > 250 || strings.ContainsAny(server, "/\x00") {
		return Requirement{Level: MayTLS}, nil // no name of a file
	}
	file := "tlshosts/" + server + ".pem"
	if there, err := f.exists(file); err != nil {
		return Requirement{}, err
	} else if there {
		trusted, err := readRoots(f.path(file))
		if err != nil {
			return Requirement{}, errTLSLoad("control/"+file, err)
		}
		return Requirement{Level: MustTLS, Check: certificate{roots: trusted, chain: true, name: server}.check, Why: "control/" + file + " exists"}, nil
	}
	for _, name := range []string{"notlshosts/" + server, "tlshosts/exhaustivelist"} {
		if there, err := f.exists(name); there || err != nil {
			return Requirement{}, err
		}
	}
	return f.destination(host, server)
}

func (f TLSFiles) exists(name string) (bool, error) {
	_, err := os.Stat(f.path(name))
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return err == nil, nil
	}
	return false, errTLSLoad("control/"+name, err)
}

// destination asks tlsdestinations.
func (f TLSFiles) destination(host, server string) (Requirement, error) {
	lines, err := f.list("tlsdestinations")
	if err != nil || lines == nil {
		return Requirement{Level: MayTLS}, err
	}
	rule, ok := ParseDestinations(lines).find(host, server)
	if !ok {
		return Requirement{Level: MayTLS}, nil
	}
	return rule.requirement(f.inHome)
}

func (f TLSFiles) list(name string) ([]string, error) {
	data, err := os.ReadFile(f.path(name))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, errTLSLoad("control/"+name, err)
	}
	return control.ParseList(string(data)), nil
}

// Identity returns the certificate to show for mail from a sender; nil for none.
func (f TLSFiles) Identity(sender string) (*tls.Certificate, error) {
	lines, err := f.list("domaincerts")
	if err != nil {
		return nil, err
	}
	certs := control.Pairs(lines)
	_, domain, _ := strings.Cut(sender, "@")
	for _, end := range append(ends(domain), "*") {
		if text, ok := certs.Get(end); ok {
			return f.pair(text)
		}
	}
	data, err := os.ReadFile(f.path("clientcert.pem"))
	if err != nil {
		return nil, nil
	}
	pair, err := tls.X509KeyPair(data, data)
	if err != nil {
		// Compat: whoever needs it complains. It is a link to servercert.pem in many
		// places, which may be none of qmail-remote's business.
		return nil, nil
	}
	return &pair, nil
}

// pair reads certificate|key, or a file that has both.
func (f TLSFiles) pair(text string) (*tls.Certificate, error) {
	cert, rest, _ := strings.Cut(text, "|")
	key, _, _ := strings.Cut(rest, "|") // then a password; see qmail-remote(8)
	if key == "" {
		key = cert
	}
	pair, err := tls.LoadX509KeyPair(f.inHome(cert), f.inHome(key))
	if err != nil {
		return nil, errTLSLoad(cert, err)
	}
	return &pair, nil
}

// ends returns all of a name and each end of it that begins with a dot.
func ends(name string) []string {
	var all []string
	for i := range len(name) {
		if i == 0 || name[i] == '.' {
			all = append(all, name[i:])
		}
	}
	return all
}

// roots are certificates that are trusted, CAs or those of servers; nil for the CAs
// that the host knows.
type roots []*x509.Certificate

// mostRoots bounds a folder of CAs.
const mostRoots = 1000

// readRoots reads the certificates in a file, or in all files of a folder, whose
// name ends in a slash. An empty file stands for the CAs that the host knows.
func readRoots(path string) (roots, error) {
	if !strings.HasSuffix(path, "/") {
		data, err := os.ReadFile(path)
		if err != nil || strings.TrimSpace(string(data)) == "" {
			return nil, err
		}
		return parseRoots(data)
	}
	files, err := os.ReadDir(path)
	if err != nil {
		return nil, err
	}
	var all roots
	for _, file := range files[:min(len(files), mostRoots)] {
		if data, err := os.ReadFile(path + file.Name()); err == nil {
			more, _ := parseRoots(data)
			all = append(all, more...)
		}
	}
	if all == nil {
		return nil, errNoRoots
	}
	return all, nil
}

var errNoRoots = errors.New("no certificate in it")

// parseRoots reads certificates in PEM. Whatever else there is does not count.
func parseRoots(data []byte) (roots, error) {
	var all roots
	for {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			break
		}
		if cert, err := x509.ParseCertificate(block.Bytes); err == nil && block.Type == "CERTIFICATE" {
			all = append(all, cert)
		}
	}
	if all == nil {
		return nil, errNoRoots
	}
	return all, nil
}

// pool is what to verify with.
func (r roots) pool() *x509.CertPool {
	if r == nil {
		return nil
	}
	pool := x509.NewCertPool()
	for _, cert := range r {
		pool.AddCert(cert)
	}
	return pool
}

// has reports whether a server's own certificate is among them.
func (r roots) has(leaf *x509.Certificate) bool { return slices.ContainsFunc(r, leaf.Equal) }
