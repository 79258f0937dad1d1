package smtp

import (
	"os"
	"path/filepath"
	"strings"

	"goqmail/control"
	"goqmail/receive/spp"
)

// Variables of qmail-spp. Plug-ins run only if the first is set, to something else
// than 0, and the second is not set.
const (
	envSPP     = "ENABLE_SPP"
	envNoSPP   = "NOSPP"
	envSPPFile = "SPPCONFFILE" // in place of control/smtpplugins, from the home on
)

// readPlugins reads what plug-ins there are, if they are wanted.
func (s *session) readPlugins() error {
	if _, off := s.env[envNoSPP]; off || !s.isSet(envSPP) {
		return nil
	}
	file := s.env[envSPPFile]
	if file == "" {
		file = filepath.Join(s.srv.Control, "smtpplugins")
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	s.spp = &spp.Session{
		Config: spp.Parse(control.ParseList(string(text))),
		Env:    s.env,
		Start:  s.srv.Run,
		Say:    s.sayPlugin,
		Failed: func(plugin string, err error) {
			s.srv.Log.event(s, "plug-in failed: ", plugin+": "+err.Error())
		},
	}
	return nil
}

// sayPlugin writes a reply of a plug-in's, as it is.
func (s *session) sayPlugin(reply string) {
	if strings.HasPrefix(reply, "4") || strings.HasPrefix(reply, "5") {
		s.failures++
	}
	s.write(reply)
}

// goesOn reports whether a command goes on after what plug-ins have decided. An
// error ends the session.
func (s *session) goesOn(v spp.Verdict) (bool, error) {
	if v == spp.Drop {
		s.wire.Flush()
		return false, ErrEnded
	}
	return v == spp.Go || v == spp.Accept, nil
}

// goesOnWith is goesOn for a command with an address that a plug-in may have put in
// the place of the client's.
func (s *session) goesOnWith(v spp.Verdict, addr *string) (bool, error) {
	ok, err := s.goesOn(v)
	if ok && (len(*addr) > maxAddress || strings.ContainsAny(*addr, "\r\n\x00")) {
		s.say(replySyntax)
		return false, nil
	}
	return ok, err
}
