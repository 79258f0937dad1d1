package peers

import (
	"strings"
	"testing"
)

func TestQmqpSource(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	program, environment := h.postfixTool("qmqp-source")
	server, address := h.tcpserver(":allow\n", h.path("bin/qmail-qmqpd"))
	cmd := h.command(program, "-m", "50", "-s", "5", "-r", "2", "-l", "3000", "-f", "sue@far.example", "-t", "bob@far.example", address)
	cmd.Env = append(cmd.Env, environment)
	if code, out := h.run(cmd); code != 0 {
		t.Fatalf("qmqp-source: %s", out)
	}
	server.wait("qmail-qmqpd: accepted qp ", 50)
	all := h.take()
	for _, m := range all {
		if to := strings.Join(m.recipients, " "); m.sender != "sue@far.example" || to != "0bob@far.example 1bob@far.example" {
			t.Fatalf("from %q to %q", m.sender, to)
		}
		if !strings.Contains(m.text, "with QMQP") || len(m.text) < 3000 {
			t.Fatalf("the message is %q", clip(m.text))
		}
	}
	if len(all) != 50 {
		t.Errorf("%d messages are queued, want 50", len(all))
	}
}

func TestQmqpToPostfix(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	m := h.postfix("127.0.0.1:1", "")
	h.control("qmqpservers", m.ip+":628\n")
	h.queue("qmail-qmqpc", "sue@far.example", "bob@far.example")
	m.wait(" status=sent ", 1)
	h.checkBox(t, m.box)
}
