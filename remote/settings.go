package remote

import (
	"crypto/tls"
	"errors"
	"fmt"
	"time"

	"goqmail/control"
	"goqmail/internal/hostname"
)

// Settings are what the control files say.
type Settings struct {
	Helo           string        // what this host calls itself: helohost, or me
	Routes         Routes        // smtproutes
	Senders        Routes        // authsenders; they come first
	ClearAuth      control.Map   // authcleartext: relays that may hear a password without TLS, by plainName
	Policy         TLSPolicy     // nil: TLS where it is offered
	QMTPRoutes     Routes        // qmtproutes
	Own            OwnRules      // moreipme and notipme
	Bindings       Bindings      // where to connect from
	ConnectTimeout time.Duration // for a connection to come about: timeoutconnect
	Timeout        time.Duration // for each reply, and for the host to take each piece of the message: timeoutremote
	// Identity returns what to show servers that want to know who this host is, for
	// mail from a sender; nil, or a function that returns nil, for nothing.
	Identity func(sender string) (*tls.Certificate, error)
}

// ReadSettings reads the control files in a folder. The error is [ErrControl] or
// wraps it.
func ReadSettings(folder string) (*Settings, error) {
	s, err := readSettings(folder)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrControl, err)
	}
	return s, nil
}

func readSettings(folder string) (*Settings, error) {
	files, err := control.Open(folder)
	if err != nil {
		return nil, err
	}
	if err := files.NullClient(hostname.System.Name); err != nil {
		return nil, err
	}
	helo, ok, err := files.Given("helohost")
	if err != nil {
		return nil, err
	}
	if !ok {
		if helo, ok = files.Me(); !ok {
			return nil, errors.New("neither control/helohost nor control/me is there")
		}
	}
	connect, err := files.Number("timeoutconnect")
	if err != nil {
		return nil, err
	}
	reply, err := files.Number("timeoutremote")
	if err != nil {
		return nil, err
	}
	routes, _, err := files.List("smtproutes")
	if err != nil {
		return nil, err
	}
	qmtpRoutes, _, err := files.List("qmtproutes")
	if err != nil {
		return nil, err
	}
	senders, _, err := files.List("authsenders")
	if err != nil {
		return nil, err
	}
	clear, _, err := files.List("authcleartext")
	if err != nil {
		return nil, err
	}
	own, err := readOwnRules(files)
	if err != nil {
		return nil, err
	}
	bindings, err := readBindings(files)
	if err != nil {
		return nil, err
	}
	return &Settings{
		Helo:           helo,
		Routes:         ParseRoutes(routes),
		Senders:        ParseRoutes(senders),
		ClearAuth:      clearAuth(clear),
		Policy:         TLSFiles{folder},
		Identity:       TLSFiles{folder}.Identity,
		QMTPRoutes:     ParseRoutes(qmtpRoutes),
		Own:            own,
		Bindings:       bindings,
		ConnectTimeout: time.Duration(connect) * time.Second,
		Timeout:        time.Duration(reply) * time.Second,
	}, nil
}

// clearAuth reads the lines of control/authcleartext.
func clearAuth(lines []string) control.Map {
	relays := control.Map{}
	for _, line := range lines {
		relays[plainName(line)] = ""
	}
	return relays
}

// route returns the route for mail from a sender to a host, and whether it is one
// of QMTP; without a relay there is none. One for the sender comes first. Of those
// for the host the one with the longest key that fits counts, and of two with equal
// keys that in qmtproutes. A route that cannot be understood is an error.
func (s *Settings) route(sender, host string) (r Route, qmtp bool, err error) {
	if r, ok, err := s.Senders.Sender(sender); ok || err != nil {
		return r, false, err
	}
	if name, ok := asciiHost(host); ok && name != host {
		// The keys may have the one spelling or the other.
		_, fit := s.Routes.lookup(host, ".")
		if _, f := s.QMTPRoutes.lookup(host, "."); max(f, fit) <= 0 {
			host = name
		}
	}
	text, fit := s.Routes.lookup(host, ".")
	if t, f := s.QMTPRoutes.lookup(host, "."); f >= 0 && f >= fit {
		text, qmtp = t, true
	}
	if sender == "" && s.Routes[nullSender] != "" {
		text, qmtp = s.Routes[nullSender], false
	}
	if sender == "" && s.QMTPRoutes[nullSender] != "" {
		text, qmtp = s.QMTPRoutes[nullSender], true
	}
	if text == "" {
		return Route{}, false, nil
	}
	port := uint16(smtpPort)
	if qmtp {
		port = qmtpPort
	}
	r, err = parseRoute(text, port)
	return r, qmtp, err
}
