package remote

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"strings"
	"time"

	"goqmail/internal/fault"
)

// tlsState is what became of TLS on a connection.
type tlsState struct {
	note string // for reports: what was negotiated, or why nothing was; a line, or empty
	// failure is the verdict on a server that turns out not to do without TLS, after
	// that has failed.
	failure *verdict
}

// needed is the reply of a server that does not do without TLS, RFC 3207 section 4.
const needed = 530

// mostHandshake bounds the time for a handshake.
const mostHandshake = 5 * time.Minute

// unverified is the error of a [Requirement]'s Check.
type unverified struct{ error }

func (e unverified) Unwrap() error { return e.error }

// tlsConfig makes what a handshake with a server needs, for mail from a sender.
func (c *Client) tlsConfig(s *Settings, sender, server string, need Requirement) (*tls.Config, error) {
	config := &tls.Config{
		InsecureSkipVerify: true, // the requirement's Check does it
		ServerName:         indicated(server),
		CipherSuites:       need.Suites,
		ClientSessionCache: c.Sessions,
		VerifyConnection: func(state tls.ConnectionState) error {
			if need.Check == nil {
				return nil
			}
			if err := need.Check(state); err != nil {
				return unverified{err}
			}
			return nil
		},
	}
	if need.Level == MayTLS {
		// What is old and weak is still better than nothing at all, RFC 7435.
		config.MinVersion = tls.VersionTLS10
		if config.CipherSuites == nil {
			config.CipherSuites = allSuites()
		}
	}
	if s.Identity == nil {
		return config, nil
	}
	identity, err := s.Identity(sender)
	if identity != nil {
		config.Certificates = []tls.Certificate{*identity}
		config.ClientSessionCache = nil // a session is resumed as who it was begun as
	}
	return config, err
}

// allSuites are all cipher suites there are.
func allSuites() []uint16 {
	var all []uint16
	for _, list := range [][]*tls.CipherSuite{tls.CipherSuites(), tls.InsecureCipherSuites()} {
		for _, s := range list {
			all = append(all, s.ID)
		}
	}
	return all
}

// indicated is the name to tell a server that it is asked for, RFC 6066 section 3.
// Addresses are none.
func indicated(server string) string {
	name := strings.TrimSuffix(server, ".")
	if _, ok := literal(name); ok || !isName(name) {
		return ""
	}
	return name
}

// handshake turns the connection into one with TLS. Nothing that the server said
// before counts any more. If it fails, the connection is of no use.
func (s *session) handshake(ctx context.Context, configure func() (*tls.Config, error)) error {
	if s.in.Buffered() > 0 {
		// It would be taken for something said under TLS: CVE-2011-0411.
		s.dead = true
		return errors.New("data ahead of TLS")
	}
	config, err := configure()
	if err != nil {
		s.dead = true
		return err
	}
	conn := tls.Client(s.conn, config)
	ctx, cancel := context.WithTimeout(ctx, min(s.timeout, mostHandshake))
	defer cancel()
	if err := conn.HandshakeContext(ctx); err != nil {
		s.dead = true
		return err
	}
	s.speakOver(conn)
	s.extensions = nil
	s.tls = tlsState{}
	return nil
}

// verified notes what was negotiated.
func (s *session) verified(how string, need Requirement) {
	state := s.conn.(*tls.Conn).ConnectionState()
	s.tls.note = how + "proto=" + strings.Replace(tls.VersionName(state.Version), " ", "v", 1) +
		"; cipher=" + tls.CipherSuiteName(state.CipherSuite) + "; verified="
	if need.Check == nil {
		s.tls.note += "no"
	} else {
		s.tls.note += "yes"
	}
}

// errTLSLoad says that what a policy needs is not there.
func errTLSLoad(what string, cause error) error {
	return fault.Soft("TLS unable to load "+printable(what)+". (#4.3.0)", cause)
}

// tlsFailed is the verdict on a server with which TLS did not come about.
func (s *session) tlsFailed(server string, err error) verdict {
	if e := (*fault.Error)(nil); errors.As(err, &e) {
		return verdictOf(err)
	}
	text := "TLS connect failed: "
	if errors.As(err, new(unverified)) {
		text = "TLS unable to verify server " + printable(plainName(server)) + ": "
	}
	return verdict{'Z', text + reason(err) + "; connected to " + s.peer + ". (#4.7.5)\n"}
}

// noTLS is the verdict on a server that has no TLS where it must.
func (s *session) noTLS(before string, need Requirement, r reply) verdict {
	return verdict{'Z', before + " while " + cmp.Or(need.Why, "it is required") + "; connected to " + s.peer + ". (#4.7.10)\n" + r.said()}
}

// mostReason is how much of an error is told.
const mostReason = 200

// reason is an error as it may stand in a report. A server has a say in it.
func reason(err error) string {
	if e := (*net.OpError)(nil); errors.As(err, &e) && e.Addr != nil {
		err = e.Err // without the ports, which are others each time
	}
	text := []byte(err.Error())
	for i, c := range text {
		if c < ' ' || c > '~' || c == '#' {
			text[i] = '?'
		}
	}
	return string(text[:min(len(text), mostReason)])
}

// with adds a line to a report.
func (v verdict) with(note string) verdict {
	if note == "" {
		return v
	}
	if !strings.HasSuffix(v.text, "\n") {
		v.text += "\n"
	}
	return verdict{v.letter, v.text + note + "\n"}
}
