package peers

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// postfixTool is a command with one of Postfix's test programs.
func (h *host) postfixTool(name string) (program, environment string) {
	h.t.Helper()
	root := unpacked(h.t, "postfix", "usr/sbin/"+name)
	return filepath.Join(root, "usr/sbin", name), "LD_LIBRARY_PATH=" + filepath.Join(root, "usr/lib/postfix")
}

// smtpSink starts smtp-sink with those options, and returns its address.
func (h *host) smtpSink(options ...string) (*running, string) {
	h.t.Helper()
	program, environment := h.postfixTool("smtp-sink")
	address := freeAddress(h.t) + ":2525"
	if os.Getuid() == 0 {
		options = append(options, "-u", "nobody") // it will not be root, and wants to be told who else
	}
	cmd := h.command(program, append(options, address, "100")...)
	cmd.SysProcAttr.Credential = nil
	cmd.Env = append(cmd.Env, environment)
	r := h.start(cmd)
	for { // it does not say when it is ready
		conn, err := net.Dial("tcp", address)
		if err == nil {
			conn.Close()
			return r, address
		}
		select {
		case <-r.ended:
			h.t.Fatalf("smtp-sink %q ends: %s", options, r.log())
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// Every way in which smtp-sink can misbehave, and what qmail-remote makes of it.
func TestSmtpSink(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	const (
		accepted = "r\x00KIP accepted message.\nRemote host said: 250 2.0.0 Ok\n\x00"
		died     = "ZConnected to IP but connection died. (#4.4.2)\n\x00"
		hard     = "\nRemote host said: 500 5.3.0 Error: command failed\n"
		soft     = "\nRemote host said: 450 4.3.0 Error: command failed\n"
		closing  = "\nRemote host said: 421 4.0.0 Server closing connection\n"
	)
	for _, tt := range []struct{ options, want string }{
		{"", accepted},
		{"-e", accepted}, // no ESMTP
		{"-8", accepted}, // no 8BITMIME
		{"-p", accepted}, // no PIPELINING
		{"-P", accepted}, // greets as a firewall that hides ESMTP
		{"-E -a -C -F -N", accepted},
		{"-p -W RCPT:1", accepted}, // with PIPELINING it answers DATA before it has waited
		{"-H 1", accepted},
		{"-f QUIT", accepted},
		{"-q QUIT", accepted},
		{"-f CONNECT", "ZConnected to IP but greeting failed." + hard + "\x00"},
		{"-r CONNECT", "ZConnected to IP but greeting failed." + soft + "\x00"},
		{"-f EHLO", accepted},
		{"-f EHLO,HELO", "ZConnected to IP but my name was rejected." + hard + "\x00"},
		{"-f MAIL", "DConnected to IP but sender was rejected." + hard + "\x00"},
		{"-r MAIL", "ZConnected to IP but sender was rejected." + soft + "\x00"},
		{"-f RCPT", "hIP does not like recipient." + hard + "\x00DGiving up on IP.\n\x00"},
		{"-r RCPT", "sIP does not like recipient." + soft + "\x00DGiving up on IP.\n\x00"},
		{"-f DATA", "r\x00DIP failed on DATA command." + hard + "\x00"},
		{"-r DATA", "r\x00ZIP failed on DATA command." + soft + "\x00"},
		{"-f .", "r\x00DIP failed after I sent the message." + hard + "\x00"},
		{"-r .", "r\x00ZIP failed after I sent the message." + soft + "\x00"},
		{"-A 0", "r\x00DIP failed after I sent the message.\nRemote host said: 550 This violates SMTP\n\x00"},
		{"-q CONNECT", died},
		{"-q EHLO", died},
		{"-q MAIL", died},
		{"-q RCPT", died},
		{"-q DATA", "r\x00" + died},
		{"-q .", "r\x00ZConnected to IP but connection died. Possible duplicate! (#4.4.2)\n\x00"},
		{"-Q EHLO", "ZConnected to IP but my name was rejected." + closing + "\x00"},
		{"-Q MAIL", "ZConnected to IP but sender was rejected." + closing + "\x00"},
		{"-Q RCPT", "sIP does not like recipient." + closing + "\x00DGiving up on IP.\n\x00"},
		{"-Q .", "r\x00ZIP failed after I sent the message." + closing + "\x00"},
	} {
		t.Run(tt.options, func(t *testing.T) {
			dump := h.folder("dump")
			defer os.RemoveAll(dump)
			sink, address := h.smtpSink(append(strings.Fields(tt.options), "-d", dump+"/")...)
			defer sink.cmd.Process.Kill()
			h.must(h.home.Relay(address))
			cmd := h.command("qmail-remote", "far.example", "sue@far.example", "bob@far.example")
			cmd.Stdin = strings.NewReader(message)
			ip, _, _ := strings.Cut(address, ":")
			if _, got := h.run(cmd); got != strings.ReplaceAll(tt.want, "IP", ip) {
				t.Errorf("the report is %q, want %q", got, tt.want)
			}
			if tt.want == accepted {
				h.checkDump(t, dump)
			}
		})
	}
}

// checkDump checks that smtp-sink has got the message, once.
func (h *host) checkDump(t *testing.T, dump string) {
	t.Helper()
	names, err := filepath.Glob(dump + "/*")
	h.must(err)
	var texts []string
	for _, name := range names {
		text, err := os.ReadFile(name)
		h.must(err)
		if strings.Contains(string(text), "X-Mail-Args: ") { // not that of who looked whether it is ready
			texts = append(texts, string(text))
		}
	}
	if len(texts) != 1 {
		t.Fatalf("smtp-sink has %d messages, want 1", len(texts))
	}
	head, text, _ := strings.Cut(texts[0], "\nReceived: ")
	lines := strings.Split(head, "\n")
	for _, want := range []string{"X-Mail-Args: <sue@far.example>", "X-Rcpt-Args: <bob@far.example>"} {
		if !slices.ContainsFunc(lines, func(line string) bool { return strings.HasPrefix(line, want) }) {
			t.Errorf("no %q in %q", want, lines)
		}
	}
	// It ends its file with an empty line.
	checkText(t, withoutTrace("Received: "+text), message+"\n")
}

// Mail that smtp-source sends goes through the whole system to smtp-sink, all of it,
// once, and unharmed. What stays of the system then has the descriptors it had before.
func TestRelayedLoad(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	dump := h.folder("dump")
	_, sink := h.smtpSink("-D", dump+"/all")
	h.must(h.home.Relay(sink))
	s := h.system()
	server, address := h.smtpd([]string{"RELAYCLIENT="})
	source, environment := h.postfixTool("smtp-source")
	const messages, recipients, rounds = 70, 3, 3
	file := h.file("message", message)
	before := s.staying()
	for round := range rounds {
		cmd := h.command(source, "-s", "20", "-m", fmt.Sprint(messages), "-r", fmt.Sprint(recipients), "-N", "-d", "-M", "source.test.example",
			"-f", "sue@far.example", "-t", fmt.Sprintf("bob%d@far.example", round), "-F", file, address)
		cmd.Env = append(cmd.Env, environment)
		if code, out := h.run(cmd); code != 0 {
			t.Fatalf("smtp-source: %s", out)
		}
		s.wait("end msg", messages*(round+1))
	}
	server.wait("qmail-smtpd: accepted qp ", messages*rounds)
	s.calm(before)
	if n := strings.Count(s.log(), ": success: "); n != messages*recipients*rounds {
		t.Errorf("%d deliveries, want %d", n, messages*recipients*rounds)
	}
	h.checkDumps(t, dump+"/all", messages*recipients*rounds)
}

// checkDumps checks that smtp-sink has got the message for so many recipients, each
// once.
func (h *host) checkDumps(t *testing.T, file string, want int) {
	t.Helper()
	all, err := os.ReadFile(file)
	h.must(err)
	seen := map[string]int{}
	for line := range strings.Lines(string(all)) {
		if to, ok := strings.CutPrefix(line, "X-Rcpt-Args: "); ok {
			seen[to]++
		}
	}
	for to, times := range seen {
		if times != 1 {
			t.Errorf("%s got the message %d times", to, times)
		}
	}
	if len(seen) != want {
		t.Errorf("%d recipients got the message, want %d", len(seen), want)
	}
	// Recipients of one message may have had it in one transaction.
	transactions := strings.Count(string(all), "X-Mail-Args: ")
	if n := strings.Count(string(all), message); n != transactions {
		t.Errorf("%d messages are as they were sent, want %d", n, transactions)
	}
}
