package sendmail

import (
	"bufio"
	"errors"
	"io"
	"strconv"
	"strings"
	"time"

	"goqmail/internal/date822"
	"goqmail/internal/fault"
)

// Session is an SMTP server, RFC 5321, for one client that is on this host and may
// send anything to anybody. Commands and messages may have lines that end in LF
// alone. Whatever goes wrong, the client is told.
type Session struct {
	In     io.Reader
	Out    io.Writer
	Host   string // what the server calls itself
	Now    func() time.Time
	Open   func() (Message, error)    // a new message for the queue
	Sender func(sender string) string // what control/masquerade makes of it

	in   *bufio.Reader
	out  *bufio.Writer
	crlf bool // whether the last line read ended in CR LF

	helo       string
	sender     string
	hasSender  bool
	recipients []string
	known      map[string]bool
	size       int // of recipients
}

// Message is a message on its way into the queue: a [goqmail/internal/qq.Message].
type Message interface {
	io.Writer
	From(sender string)
	To(recipient string)
	Fail()
	Close() error
	PID() int
}

// Bounds of what a client may say.
const (
	maxLine       = 4 << 10  // bytes of a command
	maxRecipients = 32 << 20 // bytes of one message's recipients
	maxAddress    = 900      // as in qmail-smtpd
)

// ErrCutOff means that the client went away within a message, which is not queued.
var ErrCutOff = errors.New("the client stopped in the middle of a message")

var (
	errLongLine = errors.New("command line too long")
	errQuit     = errors.New("quit")
)

// Serve serves the client until it says QUIT or goes away, which is no error unless
// it is within a message.
func (s *Session) Serve() error {
	s.in, s.out = bufio.NewReaderSize(s.In, bufferSize), bufio.NewWriter(s.Out)
	s.say("220 " + s.Host + " ESMTP")
	for {
		line, err := s.line()
		if err == nil {
			err = s.command(line)
		}
		switch {
		case err == errLongLine:
			s.say("500 line too long (#5.5.2)")
		case err == errQuit, err == io.EOF:
			return s.out.Flush()
		case err != nil:
			s.say("451 " + err.Error() + " (#4.3.0)")
			s.out.Flush()
			return err
		}
	}
}

// say answers. The answer is sent when there is nothing more to read at once, so
// that a client may send several commands without waiting (RFC 2920).
func (s *Session) say(reply string) { s.out.WriteString(reply + "\r\n") }

// line reads a command. One that the client broke off is not obeyed.
func (s *Session) line() (string, error) {
	if s.in.Buffered() == 0 {
		if err := s.out.Flush(); err != nil {
			return "", err
		}
	}
	line, err := s.in.ReadSlice('\n')
	if err == bufio.ErrBufferFull || err == nil && len(line) > maxLine {
		return "", s.skipLine(err)
	}
	if err != nil {
		return "", err
	}
	text := strings.TrimSuffix(string(line), "\n")
	bare := strings.TrimRight(text, "\r")
	s.crlf = bare != text
	return bare, nil
}

// skipLine reads the rest of a line that is too long.
func (s *Session) skipLine(err error) error {
	for err == bufio.ErrBufferFull {
		_, err = s.in.ReadSlice('\n')
	}
	if err == nil {
		err = errLongLine
	}
	return err
}

// command obeys a command.
func (s *Session) command(line string) error {
	verb, arg, _ := strings.Cut(line, " ")
	arg = strings.Trim(arg, " \t")
	switch strings.ToLower(strings.Trim(verb, " \t")) {
	case "helo":
		s.greet(arg)
		s.say("250 " + s.Host)
	case "ehlo":
		s.greet(arg)
		s.say("250-" + s.Host + "\r\n250-PIPELINING\r\n250 8BITMIME")
	case "mail":
		s.mail(arg)
	case "rcpt":
		s.rcpt(arg)
	case "data":
		return s.data()
	case "rset":
		s.reset()
		s.say("250 flushed")
	case "noop":
		s.say("250 ok")
	case "vrfy":
		s.say("252 send some mail, i'll try my best")
	case "help":
		s.say("214 see sendmail(8)")
	case "quit":
		s.say("221 " + s.Host)
		return errQuit
	default:
		s.say("502 unimplemented (#5.5.1)")
	}
	return nil
}

func (s *Session) greet(helo string) {
	s.helo = printable(helo)
	s.reset()
}

func (s *Session) reset() {
	s.sender, s.hasSender, s.recipients, s.known, s.size = "", false, nil, nil, 0
}

func (s *Session) mail(arg string) {
	sender, ok := parsePath(arg)
	if !ok {
		s.say("555 syntax error (#5.5.4)")
		return
	}
	s.reset()
	s.sender, s.hasSender = s.Sender(sender), true
	s.say("250 ok")
}

func (s *Session) rcpt(arg string) {
	recipient, ok := parsePath(arg)
	switch {
	case !s.hasSender:
		s.say("503 MAIL first (#5.5.1)")
		return
	case !ok || recipient == "":
		s.say("555 syntax error (#5.5.4)")
		return
	case s.size+len(recipient) > maxRecipients:
		s.say("452 too many recipients (#4.5.3)")
		return
	}
	if s.known == nil {
		s.known = map[string]bool{}
	}
	if !s.known[recipient] { // nobody gets a message twice
		s.known[recipient] = true
		s.recipients = append(s.recipients, recipient)
		s.size += len(recipient)
	}
	s.say("250 ok")
}

// data takes a message and queues it.
func (s *Session) data() error {
	switch {
	case !s.hasSender:
		s.say("503 MAIL first (#5.5.1)")
		return nil
	case len(s.recipients) == 0:
		s.say("503 RCPT first (#5.5.1)")
		return nil
	}
	m, err := s.Open()
	if err != nil {
		s.say("451 qqt failure (#4.3.0)")
		return nil
	}
	s.say("354 go ahead")
	if err := s.out.Flush(); err != nil {
		m.Fail()
		m.Close()
		return err
	}
	io.WriteString(m, s.received())
	if err := s.copyBody(m); err != nil {
		m.Fail()
		m.Close()
		return err
	}
	m.From(s.sender)
	for _, recipient := range s.recipients {
		m.To(recipient)
	}
	s.say(s.verdict(m.Close(), m.PID()))
	s.reset()
	return nil
}

func (s *Session) verdict(err error, pid int) string {
	var f *fault.Error
	switch {
	case err == nil:
		return "250 ok " + strconv.FormatInt(s.Now().Unix(), 10) + " qp " + strconv.Itoa(pid)
	case !errors.As(err, &f):
		return "451 qqt failure (#4.3.0)"
	case f.Perm:
		return "554 " + printable(f.Text)
	}
	return "451 " + printable(f.Text)
}

// received is the field that says how the message came.
func (s *Session) received() string {
	helo := ""
	if s.helo != "" && !strings.EqualFold(s.helo, "localhost") {
		helo = " (HELO " + s.helo + ")"
	}
	return "Received: from localhost" + helo + " (sendmail-bs@127.0.0.1)\n  by localhost with SMTP; " + date822.Format(s.Now()) + "\n"
}

// printable keeps a client's words on one line of a header or reply.
func printable(text string) string {
	b := []byte(text)
	for i, c := range b {
		if c < ' ' || c > '~' {
			b[i] = '?'
		}
	}
	return string(b)
}

// parsePath reads the argument of MAIL and RCPT: what is between the angle
// brackets, without a route and without quoting. Brackets may be missing. What
// follows, parameters of extensions, says nothing to a queue on the same host.
func parsePath(arg string) (string, bool) {
	_, path, found := strings.Cut(arg, ":")
	if !found {
		return "", arg == "" // Compat: bare MAIL is the null sender
	}
	path, closing := strings.TrimLeft(path, " \t"), byte(' ')
	if strings.HasPrefix(path, "<") {
		path, closing = path[1:], '>'
	}
	if strings.HasPrefix(path, "@") { // a route, RFC 5321 appendix C
		if _, after, ok := strings.Cut(path, ":"); ok {
			path = after
		}
	}
	text, ok := unquote(path, closing)
	return text, ok && len(text) < maxAddress && strings.IndexByte(text, 0) < 0
}

// unquote reads up to the closing byte that is not quoted. Without brackets the
// end will do too.
func unquote(path string, closing byte) (string, bool) {
	var text []byte
	quoted := false
	for i := 0; i < len(path); i++ {
		switch c := path[i]; {
		case c == '\\' && i+1 < len(path):
			i++
			text = append(text, path[i])
		case c == '"':
			quoted = !quoted
		case c == closing && !quoted:
			return string(text), true
		default:
			text = append(text, c)
		}
	}
	return string(text), closing == ' ' && !quoted
}
