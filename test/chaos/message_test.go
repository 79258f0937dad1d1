package chaos

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
)

// fate is what must become of one recipient of a message: it arrives in one of the
// places under that name. The place of a bounce is who gets it, and the name then is
// the address that it tells of.
type fate struct {
	who    string
	places []string
	times  int // that it has arrived
}

// Senders of messages.
const (
	sender = "snd@here.test"
	nobody = ""
	list   = "lst-ret-@here.test-@[]" // VERP
)

// toldOf is where the bounces for a sender arrive.
var toldOf = map[string]string{sender: "bounce to snd", nobody: "bounce to alias", list: "bounce to lst"}

// message is one that is to be sent. Its number makes its text.
type message struct {
	n      int
	seed   uint64
	sender string
	to     []string
	size   int
	fates  []*fate

	part    int // of the test
	verdict verdict
	why     string
}

// kinds of recipients: how each is made from the number, and what becomes of it.
var kinds = []func(m *message){
	func(m *message) { m.add("ann@here.test", &fate{who: "ann", places: []string{"ann"}}) },
	func(m *message) { m.add("bob@here.test", &fate{who: "bob", places: []string{"bob"}}) },
	func(m *message) { m.add("cyd@here.test", &fate{who: "cyd", places: []string{"cyd"}}) },
	func(m *message) { m.add(fmt.Sprintf("n%d@virt.test", m.n), &fate{who: "dan", places: []string{"dan"}}) },
	func(m *message) {
		m.add("eve@here.test", &fate{who: "fay", places: []string{"fay"}}, &fate{who: "pal@far.test", places: []string{"sink"}})
	},
	func(m *message) { m.far("ok", "sink") },
	func(m *message) { m.far("ok", "sink") },
	func(m *message) { m.far("no", toldOf[m.sender]) },
	func(m *message) { m.far("maybe", "sink", toldOf[m.sender]) },
	func(m *message) { m.fails(fmt.Sprintf("nobody%d@here.test", m.n)) },
	func(m *message) { m.fails("gus@here.test") },
}

// steady is how many of the kinds of recipients never fail.
const steady = 7

func (m *message) add(to string, fates ...*fate) {
	for _, known := range m.to {
		if known == to {
			return
		}
	}
	m.to = append(m.to, to)
	m.fates = append(m.fates, fates...)
}

func (m *message) far(how string, places ...string) {
	to := fmt.Sprintf("%s-%d@far.test", how, m.n)
	m.add(to, &fate{who: to, places: places})
}

func (m *message) fails(to string) { m.add(to, &fate{who: to, places: []string{toldOf[m.sender]}}) }

// newMessage makes one. It may have any sender if the way that it goes lets it.
func newMessage(n int, seed uint64, r *rand.Rand, anySender bool) *message {
	m := &message{n: n, seed: seed, sender: sender, size: 200 + r.IntN(4000)}
	if anySender {
		m.sender = []string{sender, sender, sender, nobody, list}[r.IntN(5)]
	}
	some := kinds
	switch r.IntN(50) {
	case 0:
		m.size, some = r.IntN(1<<20), kinds[:steady]
	case 1, 2, 3, 4, 5:
		m.size = r.IntN(60 << 10)
	}
	for range 1 + r.IntN(3) {
		some[r.IntN(len(some))](m)
	}
	return m
}

// lines that come up in messages: what mailers trip over, and text.
var lines = []string{
	"", ".", "..", ".x", "From joe@example.org", ">From joe", ">>From joe", "Subject: 1", " ", "\tx", "\xe4\xf6\xfc",
	"The end of 0.", "--- Below this line is a copy of the message.", "line after line after line after line after line",
}

// body is made of the number alone.
func (m *message) body() []byte {
	r := chance(m.seed, uint64(m.n))
	var b bytes.Buffer
	for b.Len() < m.size {
		if i := r.IntN(2 * len(lines)); i < len(lines) {
			b.WriteString(lines[i])
		} else {
			fmt.Fprintf(&b, "%d of %d %s", r.Int64(), m.n, strings.Repeat("x", r.IntN(200)))
		}
		b.WriteByte('\n')
	}
	fmt.Fprintf(&b, "The end of %d.\n", m.n)
	return b.Bytes()
}

// text is the message: header, body.
func (m *message) text() []byte {
	header := fmt.Sprintf("From: %s\nTo: %s\nSubject: %d\nDate: 1 Jan 2026 00:00:00 -0000\nMessage-ID: <%[3]d@chaos.test>\n\n",
		sender, strings.Join(m.to, ",\n  "), m.n)
	return append([]byte(header), m.body()...)
}

// take reads the number and the body of a message that has arrived.
func take(text []byte) (n int, body []byte, err error) {
	header, body, ok := bytes.Cut(text, []byte("\n\n"))
	_, rest, found := bytes.Cut(append([]byte("\n"), header...), []byte("\nSubject: "))
	if !ok || !found {
		return 0, nil, fmt.Errorf("no message: %.300q", text)
	}
	subject, _, _ := bytes.Cut(rest, []byte("\n"))
	if _, err := fmt.Sscanf(string(subject), "%d", &n); err != nil {
		return 0, nil, fmt.Errorf("a message without a number: %.300q", text)
	}
	return n, body, nil
}

// isNotice reports whether a message is a bounce.
func isNotice(text []byte) bool {
	header, _, _ := bytes.Cut(text, []byte("\n\n"))
	return bytes.Contains(header, []byte("\nSubject: failure notice"))
}

// openNotice reads the addresses that a bounce tells of, and the message that it is
// about.
func openNotice(text []byte) (failed []string, original []byte, err error) {
	_, body, _ := bytes.Cut(text, []byte("\n\n"))
	paragraphs := bytes.SplitAfter(body, []byte("\n\n"))
	for i, p := range paragraphs {
		switch {
		case bytes.HasPrefix(p, []byte("<")):
			addr, _, ok := bytes.Cut(p[1:], []byte(">:\n"))
			if !ok {
				return nil, nil, fmt.Errorf("a bounce with a paragraph %q", p)
			}
			failed = append(failed, string(addr))
		case bytes.HasPrefix(p, []byte("--- Below this line is ")):
			return failed, bytes.Join(paragraphs[i+1:], nil), nil
		}
	}
	return nil, nil, fmt.Errorf("a bounce without an end: %.1000q", text)
}
