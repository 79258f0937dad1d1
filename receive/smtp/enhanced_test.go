package smtp

import "testing"

func TestEnhance(t *testing.T) {
	for in, want := range map[string]string{
		"250 ok":                  "250 2.0.0 ok",
		replyNoGateway:            "553 5.7.1 " + replyNoGateway[4:],
		"354 go ahead":            "354 go ahead",
		"334 ":                    "334 ",
		"451 odd (#5.1.1)":        "451 4.0.0 odd (#5.1.1)",
		"554 odd (#5.1)":          "554 5.0.0 odd (#5.1)",
		"554 odd (#5.1.x)":        "554 5.0.0 odd (#5.1.x)",
		"554 (#5.1.1) in between": "554 5.0.0 (#5.1.1) in between",
		"221 mx.test.example":     "221 2.0.0 mx.test.example",
	} {
		if got := enhance(in); got != want {
			t.Errorf("enhance(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestEnhancedSession(t *testing.T) {
	w := newWorld(t, map[string]string{"enhancedstatuscodes": "1\n"})
	got, _ := w.says("EHLO a\r\n"+envelope+"x\r\n.\r\nFOO\r\nQUIT\r\n", nil)
	want := greeting + "250-mx.test.example\r\n250-PIPELINING\r\n250-SIZE 0\r\n250-8BITMIME\r\n250-CHUNKING\r\n250-SMTPUTF8\r\n250 ENHANCEDSTATUSCODES\r\n" +
		"250 2.0.0 ok\r\n250 2.0.0 ok\r\n354 go ahead\r\n250 2.0.0 ok 1795284247 qp 4321\r\n502 5.5.1 unimplemented (#5.5.1)\r\n221 2.0.0 mx.test.example\r\n"
	if got != want {
		t.Errorf("got %q\nwant %q", got, want)
	}
}
