package spp

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"
)

// Limits of plug-ins.
const (
	limitTime      = 5 * time.Minute
	limitOutput    = 64 << 10 // of one plug-in
	limitHeader    = 64 << 10 // of one message
	limitLater     = 100      // replies of one transaction
	limitVariables = 1000     // of a session
)

// exitNotRun is the exit code of a plug-in that could not be run.
const exitNotRun = 120

// address is what an event is about: a variable, and the address in it.
type address struct {
	name  string
	value *string
}

// ask asks the plug-ins of an event until one decides.
func (s *Session) ask(e Event, about *address) Verdict {
	if s.off {
		return Go
	}
	if about != nil {
		s.Env[about.name] = *about.value
	}
	for _, plugin := range s.Config[e] {
		verdict, decided, err := s.run(plugin, about)
		if err != nil {
			s.failed(plugin, err)
			return Refused
		}
		if decided {
			return verdict
		}
	}
	return Go
}

// failed refuses a command because of a plug-in that does not work. What the
// plug-in is called is not the client's business.
func (s *Session) failed(plugin string, err error) {
	s.Say("451 qmail-spp failure: plug-in failed (#4.3.0)")
	if s.Failed != nil {
		s.Failed(plugin, err)
	}
}

// run runs a plug-in and does what it says.
func (s *Session) run(plugin string, about *address) (v Verdict, decided bool, err error) {
	r, w, err := os.Pipe()
	if err != nil {
		return Go, false, err
	}
	defer r.Close()
	p, err := s.start(plugin, w)
	if err != nil {
		return Go, false, err
	}
	limit := s.Limit
	if limit == 0 {
		limit = limitTime
	}
	r.SetReadDeadline(time.Now().Add(limit))
	kill := time.AfterFunc(limit, func() { p.Kill() })
	v, decided, err = s.obey(r, about)
	r.Close() // it may have more to say than is wanted
	if err != nil {
		p.Kill()
	}
	state, waitErr := p.Wait()
	kill.Stop()
	switch {
	case err != nil:
		return v, decided, err
	case waitErr != nil:
		return v, decided, waitErr
	case !state.Exited() && !decided:
		return v, decided, errors.New("it crashed")
	case state.ExitCode() == exitNotRun:
		return v, decided, errors.New("it could not be run")
	}
	return v, decided, nil
}

// start starts a plug-in, with w as its output.
func (s *Session) start(plugin string, w *os.File) (*os.Process, error) {
	defer w.Close()
	null, err := os.Open(os.DevNull)
	if err != nil {
		return nil, err
	}
	defer null.Close()
	return s.Start(command(plugin), environ(s.Env), []*os.File{null, w, os.Stderr})
}

// command is the program of a plug-in and its arguments. A name without a slash is
// not sought in PATH.
func command(plugin string) []string {
	if line, ok := strings.CutPrefix(plugin, ":"); ok {
		return []string{"/bin/sh", "-c", line}
	}
	if !strings.Contains(plugin, "/") {
		plugin = "./" + plugin
	}
	return []string{plugin}
}

func environ(env map[string]string) []string {
	list := make([]string, 0, len(env))
	for _, name := range slices.Sorted(maps.Keys(env)) {
		list = append(list, name+"="+env[name])
	}
	return list
}

// obey reads answers until one decides, or to their end.
func (s *Session) obey(r io.Reader, about *address) (v Verdict, decided bool, err error) {
	limited := &io.LimitedReader{R: r, N: limitOutput + 1}
	in := bufio.NewReader(limited)
	for {
		line, err := in.ReadString('\n')
		if limited.N <= 0 {
			return Go, false, fmt.Errorf("it said more than %d bytes", limitOutput)
		}
		if err != nil && err != io.EOF {
			return Go, false, fmt.Errorf("read from it: %w", err)
		}
		if v, decided = s.answer(clean(line), about); decided || err == io.EOF {
			return v, decided, nil
		}
	}
}

// clean takes away the end of a line, and what could make several replies of one.
func clean(line string) string {
	line = strings.TrimRight(line, "\r\n")
	line, _, _ = strings.Cut(line, "\x00")
	return strings.ReplaceAll(line, "\r", " ")
}

// answer does what a line says. Decided is set if nothing more is to be read.
func (s *Session) answer(line string, about *address) (v Verdict, decided bool) {
	if line == "" {
		return Go, false
	}
	text := line[1:]
	switch line[0] {
	case 'A':
		s.off = true
		return Go, true
	case 'N':
		return Go, true
	case 'O':
		return Accept, true
	case 'D':
		return Drop, true
	case 'E':
		s.Say(orFailure(text))
		return Refused, true
	case 'R':
		s.Say(orFailure(text))
		return Drop, true
	}
	s.note(line[0], text, about)
	return Go, false
}

// orFailure is a reply, even if a plug-in has left it out.
func orFailure(text string) string {
	if text == "" {
		return "451 qmail-spp failure: no reply given (#4.3.0)"
	}
	return text
}

// note does what a line says that decides nothing.
func (s *Session) note(letter byte, text string, about *address) {
	switch letter {
	case 'P':
		if text != "" {
			s.Say(text)
		}
	case 'H':
		if text != "" && s.header.Len()+len(text) < limitHeader {
			s.header.WriteString(text + "\n")
		}
	case 'C':
		if about != nil {
			*about.value = text
			s.Env[about.name] = text
		}
	case 'S':
		if name, value, ok := strings.Cut(text, "="); ok && name != "" && len(s.Env) < limitVariables {
			s.Env[name] = value
		}
	case 'U':
		delete(s.Env, text)
	case 'L':
		s.noteLater(text)
	}
}

// noteLater keeps a refusal of a later command.
func (s *Session) noteLater(text string) {
	events := map[byte]Event{'M': Mail, 'R': Rcpt, 'D': Data}
	if text == "" {
		return
	}
	e, ok := events[text[0]]
	if !ok || len(text) == 1 || len(s.later[e]) >= limitLater {
		return
	}
	if s.later == nil {
		s.later = map[Event][]string{}
	}
	s.later[e] = append(s.later[e], text[1:])
}
