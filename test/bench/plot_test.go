package main

import (
	"encoding/xml"
	"io"
	"strings"
	"testing"
)

func TestPlot(t *testing.T) {
	all := figures{}
	for _, v := range []float64{100, 300, 200} {
		all.add(sample{"goqmail", "local", "rate", v})
	}
	all.add(sample{"a<b", "local", "rate", 50})
	w, ok := workOf("local")
	if !ok {
		t.Fatal("there is no work called local")
	}
	svg := plotOf(all, w, "rate", []string{"goqmail", "a<b", "absent"}).svg()
	for d := xml.NewDecoder(strings.NewReader(svg)); ; {
		if _, err := d.Token(); err == io.EOF {
			break
		} else if err != nil {
			t.Fatalf("%v in\n%s", err, svg)
		}
	}
	for _, want := range []string{
		`class="bar ours" x="100" y="40" width="326.7"`, `x1="263.3" x2="590.0"`, "200 (100-300)",
		"a&lt;b", "prefers-color-scheme: dark",
	} {
		if !strings.Contains(svg, want) {
			t.Errorf("no %q in\n%s", want, svg)
		}
	}
	if strings.Contains(svg, "absent") {
		t.Error("a system without figures has a bar")
	}
}
