package conformance

import (
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// rule replaces what differs from run to run.
type rule struct {
	from *regexp.Regexp
	to   string
}

const month = `(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)`

// rules are applied in this order.
var rules = []rule{
	{regexp.MustCompile(`\d{1,2} ` + month + ` \d{4} \d\d:\d\d:\d\d [-+]\d{4}`), "{date}"},
	{regexp.MustCompile(`(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) ` + month + ` [ \d]\d \d\d:\d\d:\d\d \d{4}`), "{ctime}"},
	{regexp.MustCompile(`\d{14}\.\d+\.qmail@`), "{id}.qmail@"},
	{regexp.MustCompile(`\(qmail \d+ invoked`), "(qmail {pid} invoked"},
	{regexp.MustCompile(`by uid \d+`), "by uid {uid}"},
	{regexp.MustCompile(`\d+:Kok \d{9,} qp \d+`), "{n}:Kok {time} qp {pid}"},
	{regexp.MustCompile(`\bqp \d+`), "qp {pid}"},
	{regexp.MustCompile(`\bdelivery \d+`), "delivery {n}"},
	{regexp.MustCompile(` uid \d+`), " uid {uid}"},
	{regexp.MustCompile(`<\d+\.\d+@`), "<{pid}.{time}@"},
	{regexp.MustCompile(`bytes \d+`), "bytes {size}"},
	{regexp.MustCompile(`ok \d{9,} qp`), "ok {time} qp"},
	{regexp.MustCompile(`-\d{10}\.\d+(-?@)`), "-{time}.{pid}$1"},
	{regexp.MustCompile(`^u\d+\x00p\d+\x00`), "u{uid}\x00p{pid}\x00"},
}

// normal replaces what differs from run to run, and the names of this world.
func (w *world) normal(b Bytes) Bytes {
	s := strings.ReplaceAll(string(b), w.dir, "{dir}")
	s = strings.ReplaceAll(s, w.home, "{home}")
	if link := w.runner.Link; link != "" {
		s = strings.ReplaceAll(s, link, "{home}")
	}
	if w.port != "1" {
		s = strings.ReplaceAll(s, w.port, "{port}")
	}
	s = ehlo.ReplaceAllStringFunc(s, shortEHLO)
	for _, r := range rules {
		s = r.from.ReplaceAllString(s, r.to)
	}
	return Bytes(s)
}

// ehlo matches an SMTP server's answer to EHLO: it must offer what qmail-smtpd
// offers, and may offer more.
var ehlo = regexp.MustCompile(`(?m)^250-([^\r\n ]+)\r\n((?:250-[A-Z0-9][^\r\n]*\r\n)*250 [A-Z0-9][^\r\n]*\r\n)`)

func shortEHLO(answer string) string {
	m := ehlo.FindStringSubmatch(answer)
	if !strings.Contains(m[2], "PIPELINING\r\n") || !strings.Contains(m[2], "8BITMIME\r\n") {
		return answer
	}
	return "250-" + m[1] + "\r\n{PIPELINING, 8BITMIME and what else is offered}\r\n"
}

// changed compares two snapshots: what is new or has other contents, and the
// names that are gone. Messages in maildirs are given names that do not depend
// on the run, in the order of their contents.
func (w *world) changed(before, after map[string]Bytes) (files map[string]Bytes, gone []string) {
	files = map[string]Bytes{}
	names := slices.SortedFunc(maps.Keys(after), func(a, b string) int {
		return strings.Compare(string(after[a])+a, string(after[b])+b)
	})
	for _, name := range names {
		if old, ok := before[name]; !ok || old != after[name] {
			files[freeName(name, files)] = w.normal(after[name])
		}
	}
	for name := range before {
		if _, ok := after[name]; !ok {
			gone = append(gone, name)
		}
	}
	return files, gone
}

var unique = regexp.MustCompile(`(^|/)(new|tmp|cur)/[^/]+?(:2,[A-Z]*)?$`)

// freeName is what a file is called in a recording: Maildir/new/{unique}, with
// #2, #3 and so on for those that follow.
func freeName(name string, taken map[string]Bytes) string {
	if !unique.MatchString(name) {
		return name
	}
	plain := unique.ReplaceAllString(name, "$1$2/{unique}$3")
	shown := plain
	for n := 2; ; n++ {
		if _, ok := taken[shown]; !ok {
			return shown
		}
		shown = plain + "#" + strconv.Itoa(n)
	}
}
