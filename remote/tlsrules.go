package remote

import (
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"goqmail/control"
	"goqmail/internal/ciphers"
)

// Destinations are the lines of control/tlsdestinations, which comes from s/qmail.
//
// # File format
//
// A line is KEY:CA|CIPHERS. The key begins with a mark:
//
//	!name  no TLS
//	-name  TLS, with any certificate
//	name   TLS, with a certificate that one of the CAs vouches for, if CA is there
//	~name  the same, and it is for the name; CA may be empty for those of the host
//	=name  the same, and it is for exactly that name, no wildcard
//	%name  TLS, with the very certificate of that fingerprint
//
// The name is that of the destination or relay, or of the exchanger; where it may
// be .domain for all names below, it stands behind any mark but = and %. Of the
// lines that fit, ! comes first, then %, =, ~, none and -; the destination comes
// before the exchanger, and the longer name before the shorter. If none fits, =*,
// ~*, +* (as a name without a mark) and -* are for all servers, in this order. The
// lines *: and -: say that TLS is used where it is offered, which it is anyway.
//
// CA is a file, a folder if it ends in a slash, or = and the hexadecimal SHA-1,
// SHA-224, SHA-256 or SHA-512 of the server's certificate. File names count from
// the home. A server's own certificate may be in the place of a CA, and then its
// names do not matter. CIPHERS are as in tlsclientciphers. For instance:
//
//	!old.example.org:
//	.example.net:
//	=mx.example.org:control/partner-ca.pem|ECDHE-RSA-AES256-GCM-SHA384
//	%relay.example.org:=9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
type Destinations control.Map

// ParseDestinations reads the lines of control/tlsdestinations.
func ParseDestinations(lines []string) Destinations { return Destinations(control.Pairs(lines)) }

// rule is a line that was found: what it is about, its mark and its value.
type rule struct {
	mark  string
	key   string // as it is in the file
	name  string // that the certificate is for
	value string
}

// find returns the rule for a server.
func (d Destinations) find(host, server string) (rule, bool) {
	names := []string{host}
	if server != host {
		names = append(names, server)
	}
	for _, mark := range []string{"!", "%", "=", "~", "", "-"} {
		for _, name := range names {
			all := ends(name)
			if mark == "%" || mark == "=" {
				all = all[:min(len(all), 1)]
			}
			for _, end := range all {
				if value, ok := d[mark+end]; ok && !general(mark+end) {
					return rule{mark, mark + end, name, value}, true
				}
			}
		}
	}
	for _, mark := range []string{"=", "~", "+", "-"} {
		if value, ok := d[mark+"*"]; ok {
			return rule{strings.TrimPrefix(mark, "+"), mark + "*", server, value}, true
		}
	}
	return rule{}, false
}

// general reports whether a key is for all servers.
func general(key string) bool { return strings.HasSuffix(key, "*") || key == "-" }

// requirement makes what a rule says. The function returns where a file is.
func (r rule) requirement(path func(string) string) (Requirement, error) {
	if r.mark == "!" {
		return Requirement{}, nil
	}
	ca, rest, _ := strings.Cut(r.value, "|")
	list, _, _ := strings.Cut(rest, "|") // then depth;port and a domain, which do not count
	need := Requirement{Level: MustTLS, Why: "control/tlsdestinations has " + printable(r.key), Suites: ciphers.Parse(list)}
	c := certificate{name: r.name, chain: ca != "" || r.mark == "=" || r.mark == "~", exact: r.mark == "="}
	if r.mark == "" {
		c.name = ""
	}
	if print, ok := strings.CutPrefix(ca, "="); ok {
		digest, err := hex.DecodeString(strings.ReplaceAll(print, ":", ""))
		if err != nil || digestOf(nil, len(digest)) == nil {
			return need, errTLSLoad("the fingerprint for "+r.key, err)
		}
		need.Check = pinned(digest).check
		return need, nil
	}
	switch {
	case r.mark == "%":
		return need, errTLSLoad("the fingerprint for "+r.key, errors.New("not there"))
	case r.mark == "-" || !c.chain:
		return need, nil
	}
	if ca != "" {
		file := path(ca)
		if strings.HasSuffix(ca, "/") {
			file += "/"
		}
		var err error
		if c.roots, err = readRoots(file); err != nil {
			return need, errTLSLoad(ca, err)
		}
	}
	need.Check = c.check
	return need, nil
}

// certificate is what a server's certificate has to be like.
type certificate struct {
	chain bool // somebody vouches for it
	roots roots
	name  string // it is for this name or address, unless empty or among the roots
	exact bool   // and has the name without a wildcard
}

func (c certificate) check(state tls.ConnectionState) error {
	if len(state.PeerCertificates) == 0 {
		return errors.New("no certificate")
	}
	leaf := state.PeerCertificates[0]
	if c.chain {
		rest := x509.NewCertPool()
		for _, cert := range state.PeerCertificates[1:] {
			rest.AddCert(cert)
		}
		if _, err := leaf.Verify(x509.VerifyOptions{Roots: c.roots.pool(), Intermediates: rest}); err != nil {
			return err
		}
	}
	if c.name == "" || c.roots.has(leaf) {
		return nil
	}
	if err := leaf.VerifyHostname(c.name); err != nil {
		return err
	}
	if c.exact && len(leaf.IPAddresses) == 0 && !slices.ContainsFunc(leaf.DNSNames, func(n string) bool { return strings.EqualFold(n, c.name) }) {
		return fmt.Errorf("certificate is for %s by a wildcard", c.name)
	}
	return nil
}

// pinned is the digest of the one certificate that is right.
type pinned []byte

func (p pinned) check(state tls.ConnectionState) error {
	if len(state.PeerCertificates) == 0 {
		return errors.New("no certificate")
	}
	if got := digestOf(state.PeerCertificates[0].Raw, len(p)); !slices.Equal(got, p) {
		return errors.New("certificate has another fingerprint")
	}
	return nil
}

// digestOf returns the digest that has so many bytes; nil if there is none.
func digestOf(data []byte, size int) []byte {
	switch size {
	case sha1.Size:
		d := sha1.Sum(data)
		return d[:]
	case sha256.Size224:
		d := sha256.Sum224(data)
		return d[:]
	case sha256.Size:
		d := sha256.Sum256(data)
		return d[:]
	case sha512.Size:
		d := sha512.Sum512(data)
		return d[:]
	}
	return nil
}
