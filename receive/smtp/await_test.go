package smtp

import (
	"testing"

	"goqmail/receive"
)

func TestGreetDelay(t *testing.T) {
	w := newWorld(t, nil)
	env := receive.Env{"SMTPD_GREETDELAY": "20", "DROP_PRE_GREET": "1"}
	early := w.connect(t, env)
	early.says("QUIT\r\n", replyEarly)
	if err := <-early.done; err == nil {
		t.Error("the session goes on")
	}
	env["SMTPD_GREETDELAY"] = "1"
	patient := w.connect(t, env)
	if got := patient.reads(); got != greeting {
		t.Errorf("greeted with %q", got)
	}
	patient.says("QUIT\r\n", farewell)
	env["RELAYCLIENT"] = ""
	if got, _ := w.says("QUIT\r\n", env); got != greeting+farewell {
		t.Errorf("a relay client is told %q", got)
	}
}
