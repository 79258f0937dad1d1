//go:build linux && amd64

package faults

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"goqmail/internal/durable"
	"goqmail/queue"
)

// answer is what whoever hands over a message was told.
type answer int

const (
	nothing  answer = iota // the program was gone
	accepted               // it has the message
	refused                // not now
	rejected               // not ever
)

// submission is a program that takes messages and has them queued. There is no system
// that would deliver them.
type submission struct {
	*outcome
	plan    plan
	mails   []*mail
	answers []answer // for each of the mails
	said    syncBuffer
}

// from is the envelope sender of all messages.
const from = "pat@far.test"

// submit carries a plan out on a program that is given messages, and judges what is in
// the queue then.
func submit(o *outcome, p plan, how func(s *submission)) {
	s := &submission{outcome: o, plan: p}
	s.mails = []*mail{newMail("first", 70<<10, toPat, toFriend), newMail("second", 700, toBob)}
	s.answers = make([]answer, len(s.mails))
	fresh(map[string]string{
		"me": "here.test\n", "rcpthosts": "here.test\nelsewhere.test\n", "qmqpservers": "127.0.0.1\n",
	})
	limit := patience
	if strings.HasSuffix(p.Action, forGood) {
		limit = 2 * time.Second // as it may not get any further
	}
	stop := time.AfterFunc(limit, reapTraced)
	how(s)
	if !stop.Stop() && limit == patience {
		s.problem("it hangs")
	}
	must(s.read("/var/report"))
	s.Log = s.said.String()
	s.judge()
}

// reapTraced ends all processes but this one, and has the tracer tell first.
func reapTraced() {
	names, _ := filepath.Glob("/proc/[0-9]*")
	for _, name := range names {
		line, _ := os.ReadFile(name + "/environ")
		if bytes.Contains(line, []byte(traced+"=")) {
			var pid int
			fmt.Sscan(filepath.Base(name), &pid)
			syscall.Kill(pid, syscall.SIGQUIT)
		}
	}
}

// start is the program, to be run by a user under the plan.
func (s *submission) start(uid, gid int, env []string, argv ...string) *exec.Cmd {
	p := s.plan
	p.UID, p.GID = uid, gid
	argv[0] = home + "/bin/" + argv[0]
	cmd := under(p, argv, append([]string{"PATH=/usr/bin:/bin"}, env...))
	cmd.Dir, cmd.Stderr = "/", &s.said
	return cmd
}

func envelope(m *mail) string {
	text := "F" + from + "\x00"
	for _, to := range m.to {
		text += "T" + to + "\x00"
	}
	return text + "\x00"
}

// each runs the program for the first message alone.
func (s *submission) once(cmd *exec.Cmd, codes func(int) answer) {
	s.mails, s.answers = s.mails[:1], s.answers[:1]
	cmd.Run()
	if cmd.ProcessState.ExitCode() == -1 || len(s.Report.Ends) > 0 {
		return
	}
	must(s.read("/var/report"))
	if len(s.Report.Ends) > 0 && strings.Trim(s.Report.Ends[len(s.Report.Ends)-1], "0123456789") == "" {
		s.answers[0] = codes(cmd.ProcessState.ExitCode())
	}
}

// queueCodes reads exit codes of qmail-queue.
func queueCodes(code int) answer {
	switch {
	case code == 0:
		return accepted
	case code >= 11 && code <= 40, code == 91:
		return rejected
	}
	return refused
}

// codes reads exit codes of other programs.
func codes(code int) answer {
	switch code {
	case 0:
		return accepted
	case 111, 75, 71, 2: // 2 is a start of Go's runtime that failed
		return refused
	}
	return rejected
}

func byQueue(s *submission) {
	must(os.WriteFile("/var/envelope", []byte(envelope(s.mails[0])), 0o644))
	file, err := os.Open("/var/envelope")
	must(err)
	defer file.Close()
	cmd := s.start(pat, pat, nil, "qmail-queue")
	if s.plan.Program == "qmail-qmqpc" {
		defer qmqpServer().Close()
		cmd = s.start(pat, pat, nil, "qmail-qmqpc")
	}
	cmd.Stdin, cmd.Stdout = strings.NewReader(s.mails[0].text), file
	s.once(cmd, queueCodes)
}

// qmqpServer has qmail-qmqpd serve whoever connects.
func qmqpServer() net.Listener {
	listener, err := net.Listen("tcp", "127.0.0.1:628")
	must(err)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			file, err := conn.(*net.TCPConn).File()
			if err == nil {
				cmd := exec.Command(home + "/bin/qmail-qmqpd")
				cmd.Dir, cmd.Stdin, cmd.Stdout = "/", file, file
				cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: qmaild, Gid: nofiles}}
				cmd.Run()
				file.Close()
			}
			conn.Close()
		}
	}()
	return listener
}

func byInject(s *submission) {
	args := append([]string{s.plan.Program, "-f", from}, s.mails[0].to...)
	cmd := s.start(pat, pat, []string{"USER=pat"}, args...)
	cmd.Stdin, cmd.Stdout = strings.NewReader(s.mails[0].text), &s.said
	s.once(cmd, codes)
}

func byForward(s *submission) {
	args := append([]string{s.plan.Program}, s.mails[0].to...)
	cmd := s.start(pat, pat, []string{"NEWSENDER=" + from, "SENDER=" + from, "DTLINE=Delivered-To: joe@here.test\n"}, args...)
	file := "/var/message"
	must(os.WriteFile(file, []byte(s.mails[0].text), 0o644))
	in, err := os.Open(file)
	must(err)
	defer in.Close()
	cmd.Stdin, cmd.Stdout = in, &s.said
	s.once(cmd, codes)
}

// remoteEnv is what tcpserver says about a client.
var remoteEnv = []string{"PROTO=TCP", "TCPREMOTEIP=192.0.2.1", "TCPREMOTEHOST=far.test", "TCPLOCALIP=192.0.2.2", "TCPLOCALHOST=here.test"}

func netstring(text string) string { return fmt.Sprintf("%d:%s,", len(text), text) }

// byNetstrings is QMTP and QMQP: all is sent, and the answers are read.
func byNetstrings(s *submission) {
	var in strings.Builder
	if s.plan.Program == "qmail-qmqpd" {
		s.mails, s.answers = s.mails[:1], s.answers[:1]
		message := netstring(s.mails[0].text) + netstring(from)
		for _, to := range s.mails[0].to {
			message += netstring(to)
		}
		in.WriteString(netstring(message))
	} else {
		for _, m := range s.mails {
			recipients := ""
			for _, to := range m.to {
				recipients += netstring(to)
			}
			in.WriteString(netstring("\n"+m.text) + netstring(from) + netstring(recipients))
		}
	}
	cmd := s.start(qmaild, nofiles, remoteEnv, s.plan.Program)
	var out bytes.Buffer
	cmd.Stdin, cmd.Stdout = strings.NewReader(in.String()), &out
	cmd.Run()
	s.said.Write(out.Bytes())
	text := out.String()
	for i, m := range s.mails {
		number := len(m.to)
		if s.plan.Program == "qmail-qmqpd" {
			number = 1 // for all recipients together
		}
		for range number {
			var size int
			if n, _ := fmt.Sscanf(text, "%d:", &size); n != 1 {
				return
			}
			_, text, _ = strings.Cut(text, ":")
			if size == 0 || len(text) < size+1 {
				return
			}
			s.answers[i] = map[byte]answer{'K': accepted, 'Z': refused, 'D': rejected}[text[0]]
			text = text[size+1:]
		}
	}
}

// bySMTP has a session on pipes.
func bySMTP(s *submission) {
	cmd := s.start(qmaild, nofiles, remoteEnv, "qmail-smtpd")
	in, err := cmd.StdinPipe()
	must(err)
	out, err := cmd.StdoutPipe()
	must(err)
	must(cmd.Start())
	s.session(in, out, 0, len(s.mails))
	in.Close()
	io.Copy(io.Discard, out)
	cmd.Wait()
}

// session hands over some messages by SMTP.
func (s *submission) session(in io.Writer, out io.Reader, first, end int) {
	replies := bufio.NewReader(out)
	code := func(text string) byte {
		if text != "" {
			if _, err := io.WriteString(in, text); err != nil {
				return 0
			}
		}
		for {
			line, err := replies.ReadString('\n')
			if err != nil || len(line) < 4 {
				return 0
			}
			s.said.Write([]byte(line))
			if line[3] == ' ' {
				return line[0]
			}
		}
	}
	if code("") != '2' {
		return
	}
	code("EHLO far.test\r\n")
	for i := first; i < end; i++ {
		s.answers[i] = s.transaction(code, s.mails[i])
	}
	code("QUIT\r\n")
}

func (s *submission) transaction(code func(string) byte, m *mail) answer {
	read := map[byte]answer{0: nothing, '2': accepted, '4': refused, '5': rejected}
	code("RSET\r\n")
	if c := code("MAIL FROM:<" + from + ">\r\n"); c != '2' {
		return read[c]
	}
	for _, to := range m.to {
		if c := code("RCPT TO:<" + to + ">\r\n"); c != '2' {
			return read[c]
		}
	}
	if c := code("DATA\r\n"); c != '3' {
		return read[c]
	}
	return read[code(strings.ReplaceAll(m.text, "\n", "\r\n")+".\r\n")]
}

// byListening has two sessions with one process that accepts connections.
func byListening(s *submission) {
	const address = "127.0.0.1:2525"
	cmd := s.start(qmaild, nofiles, nil, "qmail-smtpd", "-listen", address)
	cmd.Stdout = &s.said
	must(cmd.Start())
	ended := make(chan struct{})
	go func() { cmd.Wait(); close(ended) }()
	for i := range s.mails {
		for range 3 { // a client comes again
			if s.answers[i] == nothing || s.answers[i] == refused {
				s.connect(address, i, ended)
			}
		}
	}
	cmd.Process.Signal(syscall.SIGTERM)
	<-ended
}

// connect has a session for one message.
func (s *submission) connect(address string, i int, ended <-chan struct{}) {
	for {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			conn.SetDeadline(time.Now().Add(time.Second))
			s.session(conn, conn, i, i+1)
			conn.Close()
			return
		}
		select {
		case <-ended:
			return
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// queued lists what is in the queue: the text of each message, by envelope.
func (s *submission) queued() map[string][]string {
	q, err := queue.Open(durable.NewDir(home + "/queue"))
	must(err)
	found := map[string][]string{}
	must(q.Numbers(queue.Todo, func(n queue.Number) bool {
		file, err := os.Open(filepath.Join(home, "queue", q.Name(queue.Todo, n)))
		must(err)
		defer file.Close()
		text := ""
		err = queue.ReadTodo(file,
			func(e queue.Envelope) error { text += "F" + e.Sender + "\x00"; return nil },
			func(to string) error { text += "T" + to + "\x00"; return nil })
		message, readErr := os.ReadFile(filepath.Join(home, "queue", q.Name(queue.Mess, n)))
		if err != nil || readErr != nil {
			s.problem("in the queue there is what cannot be read: %v, %v", err, readErr)
		}
		found[text+"\x00"] = append(found[text+"\x00"], string(message))
		return true
	}))
	return found
}

// uncertain are calls that may fail although the message is in the queue then.
func (p plan) uncertain() bool {
	return p.Action == kill || strings.HasSuffix(p.Action, forGood) || strings.HasSuffix(p.Call, "(todo)") || p.Program != "qmail-queue"
}

// judge compares the answers with what is in the queue.
func (s *submission) judge() {
	found := s.queued()
	for i, m := range s.mails {
		texts := found[envelope(m)]
		delete(found, envelope(m))
		for _, text := range texts {
			if !strings.HasSuffix(text, strings.TrimPrefix(m.text, "Subject: "+m.name+"\n")) || !strings.Contains(text, "\nSubject: "+m.name+"\n") {
				s.problem("message %s is not whole: %q ... %q", m.name, text[:min(len(text), 500)], text[max(0, len(text)-200):])
			}
		}
		switch a := s.answers[i]; {
		case a == accepted && len(texts) == 0:
			s.problem("message %s is accepted, and is not in the queue", m.name)
		case a == rejected:
			s.problem("message %s is refused for good", m.name)
		case a == refused && len(texts) > 0 && !s.plan.uncertain():
			s.problem("message %s is refused, and in the queue", m.name)
		case a != accepted && s.plan.harmless():
			s.problem("message %s is not accepted", m.name)
		}
		s.Doubled += max(0, len(texts)-1)
	}
	for e := range found {
		s.problem("in the queue there is what nobody sent: %q", e)
	}
	s.judgeRest()
}

// undoes are calls after whose failure something may be left that cleaning removes.
func undoes(call string) bool {
	return strings.HasPrefix(call, "unlink(") || strings.HasPrefix(call, "ftruncate(")
}

func (s *submission) judgeRest() {
	if s.plan.Action == kill || strings.HasSuffix(s.plan.Action, forGood) {
		return
	}
	queued, _ := filepath.Glob(home + "/queue/todo/*")
	for kind, want := range map[string]int{"mess/*/*": len(queued), "intd/*": len(queued), "pid/*": 0} {
		if left, _ := filepath.Glob(home + "/queue/" + kind); len(left) != want && !undoes(s.plan.Call) {
			s.problem("%q are left, want %d", left, want)
		}
	}
	for _, end := range s.Report.Ends {
		early := runtimes.MatchString(s.plan.Call) && slices.Contains([]string{"aborted", "2"}, end)
		if list, ok := fine[s.plan.Program]; ok && !slices.Contains(list, end) && !early {
			s.problem("it ends with %s", end)
		}
	}
}
