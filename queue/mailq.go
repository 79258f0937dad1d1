package queue

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
)

// WriteMailq lists messages in the form of mailq(1): each one that the user with
// that id queued, as [Queue.WriteList] does, or all if everybody is set; in the end
// how many there are, and how many of those are other people's.
func (q *Queue) WriteMailq(w io.Writer, uid int, everybody bool) error {
	out := bufio.NewWriter(w)
	var all, others, size int64
	err := q.Numbers(Mess, func(n Number) bool {
		text, bytes, own := q.entry(n, uid, everybody)
		if text == "" {
			return true // it is done, or was never queued
		}
		all++
		size += bytes
		if own {
			out.WriteString(text)
		} else {
			others++
		}
		return true
	})
	if err != nil {
		return err
	}
	out.WriteString(summary(all, others, size))
	return out.Flush()
}

func summary(all, others, size int64) string {
	if all == 0 {
		return "Mail queue is empty\n"
	}
	requests := " Requests"
	if all == 1 {
		requests = " Request"
	}
	text := fmt.Sprintf("-- %d Kbytes in %d%s.", (size+1023)/1024, all, requests)
	if others > 0 {
		text += fmt.Sprintf(" Not shown because they are other people's: %d.", others)
	}
	return text + "\n"
}

// entry returns the lines for a message, its size, and whether they may be shown.
func (q *Queue) entry(n Number, uid int, everybody bool) (text string, size int64, own bool) {
	size, owner := q.origin(n)
	text, err := q.describe(n)
	if errors.Is(err, fs.ErrNotExist) {
		text = q.describeTodo(n, size)
	} else if err != nil {
		text = "#" + n.String() + " cannot be looked at\n"
	}
	return text, size, everybody || owner == uid
}

// describeTodo returns the lines for a message that qmail-send has not seen yet.
func (q *Queue) describeTodo(n Number, size int64) string {
	f, err := q.FS.Open(q.Name(Todo, n), os.O_RDONLY, 0)
	if err != nil {
		return ""
	}
	defer f.Close()
	st, err := q.FS.Stat(q.Name(Todo, n))
	if err != nil {
		return ""
	}
	var lines strings.Builder
	err = ReadTodo(f, func(e Envelope) error {
		lines.WriteString(st.ModTime().UTC().Format("2 Jan 2006 15:04:05") + " GMT  #" + n.String() + "  " +
			strconv.FormatInt(size, 10) + "  <" + printable(e.Sender) + "> \n")
		return nil
	}, func(recipient string) error {
		lines.WriteString("\tnew\t" + printable(recipient) + "\n")
		return nil
	})
	if err != nil && lines.Len() == 0 {
		return "#" + n.String() + " cannot be looked at\n"
	}
	return lines.String()
}

// origin returns a message's size, and the user that qmail-queue says in its first
// line queued it, or -1.
func (q *Queue) origin(n Number) (size int64, uid int) {
	name := q.Name(Mess, n)
	if st, err := q.FS.Stat(name); err == nil {
		size = st.Size()
	}
	f, err := q.FS.Open(name, os.O_RDONLY, 0)
	if err != nil {
		return size, -1
	}
	defer f.Close()
	line := make([]byte, 100)
	k, _ := io.ReadFull(f, line)
	return size, invokedBy(string(line[:k]))
}

// invokedBy reads the user id in "Received: (qmail 123 invoked by uid 1000); ...".
func invokedBy(line string) int {
	rest, ok := strings.CutPrefix(line, "Received: (qmail ")
	rest, found := strings.CutPrefix(strings.TrimLeft(rest, "0123456789"), " invoked by uid ")
	id, _, ended := strings.Cut(rest, "); ")
	uid, err := strconv.Atoi(id)
	if !ok || !found || !ended || err != nil || uid < 0 {
		return -1
	}
	return uid
}
