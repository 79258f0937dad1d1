package system

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/emersion/go-message/mail"
)

// kinds are messages of many kinds, by name.
func kinds(t *testing.T) map[string][]byte {
	noise := make([]byte, 4<<20)
	rand.NewChaCha8([32]byte{1}).Read(noise)
	text := func(s string) []byte { return []byte(s) }
	return map[string][]byte{
		"plain":           text("From: ann@far.test\nTo: joe@here.test\nSubject: plain\n\nHello.\n"),
		"mime":            mime(t, noise[:200<<10]),
		"eight-bit":       text("Subject: Gr\xfc\xdfe\n\n\xe4\xf6\xfc \xf0\x9f\x98\x80 \xff\xfe\n"),
		"line of 1 MB":    text("Subject: long\n\n" + strings.Repeat("x", 1<<20) + "\nshort\n"),
		"20 MB":           text("Subject: big\n\n" + strings.Repeat(strings.Repeat("y", 75)+"\n", 20<<20/76)),
		"6,000 headers":   text(strings.Repeat("X-Header: value\n", 6000) + "\nbody\n"),
		"header alone":    text("Subject: no body\n"),
		"empty":           nil,
		"blank lines":     text("\n\n\n"),
		"no header":       text("\nbody alone\n"),
		"mbox-looking":    text("Subject: box\n\nFrom ann@far.test Sat Nov 21 18:04:07 2026\n>From here\n>>From there\nFrom\n\nFrom me\n"),
		"dots":            text("Subject: dots\n\n.\n..\n.leading\n\n.\n"),
		"tabs and blanks": text("Subject: \t blank \n\n \t \n   \n"),
		"folded header":   text("Subject: one\n two\n\tthree\nX-Empty:\n\nbody\n"),
		"many lines":      bytes.Repeat([]byte("z\n"), 100000),
	}
}

// oddKinds are not text: they go to mailboxes unchanged, but SMTP has no room for
// them, and qmail-remote says so.
func oddKinds() map[string][]byte {
	noise := make([]byte, 300<<10)
	rand.NewChaCha8([32]byte{2}).Read(noise)
	return map[string][]byte{
		"no final newline": []byte("Subject: cut\n\nno newline at the end"),
		"NUL":              []byte("Subject: nul\x00here\n\na\x00b\n\x00\n"),
		"CRLF":             []byte("Subject: crlf\r\n\r\nline\r\n"),
		"CR":               []byte("Subject: cr\n\na\rb\r\rc\n\r"),
		"binary":           append([]byte("Subject: binary\n\n"), noise...),
	}
}

// mime writes a message with text in two forms and an attachment.
func mime(t *testing.T, attachment []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	var h mail.Header
	h.SetSubject("Grüße")
	h.SetAddressList("From", []*mail.Address{{Name: "Änn", Address: "ann@far.test"}})
	w, err := mail.CreateWriter(&out, h)
	if err != nil {
		t.Fatal(err)
	}
	inline, err := w.CreateInline()
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{"text/plain", "text/html"} {
		var part mail.InlineHeader
		part.Set("Content-Type", kind+"; charset=utf-8")
		p, err := inline.CreatePart(part)
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(p, "<p>Grüße aus der Ferne</p>\r\n")
		p.Close()
	}
	inline.Close()
	var part mail.AttachmentHeader
	part.Set("Content-Type", "application/octet-stream")
	part.Set("Content-Transfer-Encoding", "base64")
	part.SetFilename("noise.bin")
	p, err := w.CreateAttachment(part)
	if err != nil {
		t.Fatal(err)
	}
	p.Write(attachment)
	p.Close()
	w.Close()
	return bytes.ReplaceAll(out.Bytes(), []byte("\r\n"), []byte("\n"))
}

// splitStored cuts off what a delivery has put before a message: Return-Path, Delivered-To
// and the Received line of qmail-queue.
func splitStored(mail []byte) (head []string, message []byte, err error) {
	for range 3 {
		line, rest, ok := bytes.Cut(mail, []byte("\n"))
		if !ok {
			return nil, nil, fmt.Errorf("mail of %d bytes ends in its first lines", len(mail))
		}
		head, mail = append(head, string(line)), rest
	}
	return head, mail, nil
}
