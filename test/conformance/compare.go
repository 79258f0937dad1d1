package conformance

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// differences collects what a run did otherwise than its recording.
type differences struct{ text strings.Builder }

// compare returns each difference in full, or "".
func compare(want, got *Want) string {
	var d differences
	d.show("exit", want.Exit, got.Exit)
	d.show("stdout", want.Stdout, got.Stdout)
	d.show("stderr", want.Stderr, got.Stderr)
	d.show("gone", len(want.Gone), len(got.Gone))
	d.show("log", slices.Concat([]string{}, want.Log), slices.Concat([]string{}, got.Log))
	d.list("delivery", want.Deliveries, got.Deliveries)
	d.queued(want.Queued, got.Queued)
	d.list("smtp server received", want.SMTP, got.SMTP)
	d.files("file ", want.Files, got.Files)
	d.files("home file ", want.Home, got.Home)
	return d.text.String()
}

// show notes two values of one kind, unless they are the same.
func (d *differences) show(what string, want, got any) {
	if reflect.DeepEqual(want, got) {
		return
	}
	fmt.Fprintf(&d.text, "  %s\n    want %s\n    got  %s\n", what, text(want), text(got))
}

func text(v any) string {
	if none, ok := v.(absent); ok {
		return string(none)
	}
	var out strings.Builder
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.Encode(v)
	return strings.TrimSuffix(out.String(), "\n")
}

// absent stands for a value that one side does not have.
type absent string

const none absent = "(none)"

// list compares values one by one.
func (d *differences) list(what string, want, got []Bytes) {
	for i := range max(len(want), len(got)) {
		d.show(what, at(want, i), at(got, i))
	}
}

func at(list []Bytes, i int) any {
	if i < len(list) {
		return list[i]
	}
	return none
}

func (d *differences) queued(want, got []Queued) {
	var envelopes, messages [2][]Bytes
	for side, list := range [][]Queued{want, got} {
		for _, q := range list {
			envelopes[side] = append(envelopes[side], q.Envelope)
			messages[side] = append(messages[side], q.Message)
		}
	}
	d.list("queued envelope", envelopes[0], envelopes[1])
	d.list("queued message", messages[0], messages[1])
}

func (d *differences) files(what string, want, got map[string]Bytes) {
	names := maps.Clone(want)
	if names == nil {
		names = map[string]Bytes{}
	}
	maps.Copy(names, got)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		d.show(what+name, in(want, name), in(got, name))
	}
}

func in(files map[string]Bytes, name string) any {
	if content, ok := files[name]; ok {
		return content
	}
	return none
}
