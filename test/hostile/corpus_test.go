package hostile

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
)

// message is one of the corpus.
type message struct {
	name string
	text []byte
	// looping messages have been here so often that no server takes them.
	looping bool
}

// corpus returns the messages. They are made anew each time, so that no large file
// lies in the repository.
func corpus() []message {
	var all []message
	add := func(name, text string) { all = append(all, message{name: name, text: []byte(text)}) }
	times := strings.Repeat

	// Headers.
	add("100,000 fields", times("X-Bomb: tick tick tick\n", 100_000)+"\nbody\n")
	add("a field of 4 MB in one line", "Subject: "+times("x", 4<<20)+"\n\nbody\n")
	add("a field of 200,000 lines", "Subject: x\n"+times("\tand more\n", 200_000)+"\nbody\n")
	add("a name of 1 MB", times("N", 1<<20)+": x\n\nbody\n")
	add("names that are none", "Subject : x\n: nothing\nX-\xff\xfe: y\nX\x01Y: z\n\nbody\n")
	add("a header that ends in a field", "Subject: x")
	add("a From_ line first", "From eve@far.test Sat Nov 21 18:04:07 2026\nSubject: x\n\nbody\n")
	add("From_ lines everywhere", "Subject: x\nFrom: eve@far.test\n\nFrom a\n\nFrom b Sat Nov 21 18:04:07 2026\nSubject: second?\n\n>From c\n>>From d\n\n\nFrom e\n")
	all = append(all, message{"150 Received fields", []byte(times("Received: from a by b; 21 Nov 2026 18:04:07 -0000\n", 150) + "\nbody\n"), true})
	add("empty", "")
	add("nothing but newlines", times("\n", 1000))
	add("a body alone", "\nbody\n")
	add("blanks", " \n\t\n \nSubject: x\n \t \n\n \n")

	// Addresses, for those who look for them.
	add("10,000 nested comments", "To: "+times("(", 10_000)+times(")", 10_000)+" bob@far.test\n\nbody\n")
	add("10,000 open comments", "Cc: "+times("(", 10_000)+"\n\nbody\n")
	add("10,000 nested groups", "Cc: "+times("g:", 10_000)+times(";", 10_000)+"\n\nbody\n")
	add("an address of 1 MB", "Cc: "+times("a", 1<<20)+"@far.test\n\nbody\n")
	add("a host of 100,000 dots", "Cc: a@"+times("b.", 100_000)+"test\n\nbody\n")
	add("100,000 at signs", "Cc: a"+times("@b", 100_000)+"\n\nbody\n")
	add("100,000 commas", "Cc: "+times(",", 100_000)+"\n\nbody\n")
	add("quotes and backslashes", `Cc: "`+times(`\"`, 50_000)+`"@far.test, "open`+"\n\nbody\n")
	add("newline and NUL in an address", "Cc: \"a\n b\"@far.test, c\x00d@far.test, <e@far.test\n\nbody\n")
	add("5,000 recipients", "Bcc: "+times("friend-x@elsewhere.test,\n ", 5000)+"friend-x@elsewhere.test\n\nbody\n")

	// MIME.
	var deep, end strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&deep, "Content-Type: multipart/mixed; boundary=\"b%d\"\n\n--b%[1]d\n", i)
		fmt.Fprintf(&end, "\n--b%d--\n", 4999-i)
	}
	add("5,000 nested parts", "MIME-Version: 1.0\n"+deep.String()+"\nx\n"+end.String())
	add("50,000 parts", "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n"+times("--b\n\nx\n", 50_000)+"--b--\n")
	add("a boundary that never comes", "MIME-Version: 1.0\nContent-Type: multipart/report; report-type=delivery-status; boundary="+times("b", 2000)+"\n\nx\n")
	add("types that contradict", "MIME-Version: 1.0\nContent-Type: text/plain\nContent-Type: message/partial; number=1; total=9999999; id=x\nContent-Transfer-Encoding: base64\nContent-Transfer-Encoding: 8bit\n\n====\n")

	// Bytes.
	add("NULs", "Subject: a\x00b\n\n\x00\x00\nc\x00\n"+times("\x00", 70_000)+"\n")
	add("overlong UTF-8", "Subject: \xc0\xaf\xe0\x80\xaf\xf0\x80\x80\xaf\xf8\x80\x80\x80\xaf \xed\xa0\x80 \xef\xbb\xbf\n\n\xc0\x8a\xc0\x8d\xc0\xae\xc0\x8d\xc0\x8a \xff\xfe\n")
	add("terminal sequences", "Subject: \x1b[2J\x1b]0;owned\x07 \x9b31m\x7f\x08\n\n\x1bc\x0c\x0b\x85\n")
	add("line separators", "Subject: x\u2028y\u2029z\u0085\n\na\u2028.\u2028b\n")
	add("bare CR", "Subject: a\rb\n\na\rb\r\rc\n\r.\rd\n")
	add("CR at the end of lines", "Subject: x\r\n\r\na\r\r\nb\r\n")
	for name, mark := range map[string]string{
		"LF dot CRLF": "\n.\r\n", "CR dot CRLF": "\r.\r\n", "CRLF dot LF": "\r\n.\n", "CR dot CR": "\r.\r", "CRLF dot CR LF CR": "\r\n.\r\n\r", "LF dot LF": "\n.\n", "CR CRLF dot": "\r\r\n.\r\r\n",
	} {
		add("smuggled by "+name, "Subject: outer\n\nx"+mark+"MAIL FROM:<eve@far.test>\r\nRCPT TO:<joe-smuggled@here.test>\r\nDATA\r\nSubject: inner\r\n\r\nx"+mark+"end\n")
	}
	add("dots", "Subject: dots\n\n.\n..\n...\n.x\n\n.\n\n.\n")
	noise := make([]byte, 1<<20)
	rand.NewChaCha8([32]byte{9}).Read(noise)
	add("noise", "Subject: noise\n\n"+string(noise)+"\n")
	add("noise with LF ends", "Subject: noise\n\n"+strings.NewReplacer("\r", "", "\x00", "").Replace(string(noise))+"\n")
	add("a line of 4 MB", "Subject: x\n\n"+times("y", 4<<20))
	add("lines of 998 and 999", "Subject: x\n\n"+times("y", 998)+"\n"+times("y", 999)+"\n")
	add("500,000 empty lines", "Subject: x\n\n"+times("\n", 500_000))

	// What the system itself writes.
	add("a bounce within", "From: MAILER-DAEMON@here.test\nSubject: failure notice\n\nHi. This is the qmail-send program at here.test.\n<eve@far.test>:\nx\n\n--- Below this line is a copy of the message.\n\nReturn-Path: <eve@far.test>\n--- Enclosed are the original headers of the message.\n")
	add("an envelope within", "Return-Path: <eve@far.test>\nDelivered-To: joe@here.test\nX-Envelope: Feve@far.test\x00Tjoe@here.test\x00\x00\n\nTjoe@here.test\x00\x00\n")
	return all
}

// isText reports whether SMTP has room for a message.
func (m message) isText() bool { return !bytes.ContainsAny(m.text, "\r") }
