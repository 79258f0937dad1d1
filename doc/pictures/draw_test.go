package main

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestPictures compares the pictures with what their texts give.
func TestPictures(t *testing.T) {
	t.Parallel()
	texts, err := filepath.Glob("*.txt")
	if err != nil || len(texts) == 0 {
		t.Fatalf("%d texts, %v", len(texts), err)
	}
	for _, name := range texts {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		want, err := Draw(string(text))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		svg := strings.TrimSuffix(name, ".txt") + ".svg"
		got, err := os.ReadFile(svg)
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != want {
			t.Errorf("%s is not what %s gives: make pictures", svg, name)
		}
	}
}

func TestBadPictures(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"no such word":    "circle a 0 0",
		"box lacks title": "box a 0 0 program",
		"no such kind":    "box a 0 0 x A",
		"control":         "note 0 0 \x01",
		"column":          "box a x 0 program A",
		"row":             "box a 0 x program A",
		"two of a name":   "box a 0 0 program A\nbox a 1 0 program A",
		"arrow to none":   "box a 0 0 program A\narrow a b",
		"arrow of one":    "arrow a",
		"short note":      "note 0 0",
	} {
		if svg, err := Draw(text); err == nil {
			t.Errorf("%s: %q", name, svg)
		}
	}
}

// FuzzDraw draws only what is well-formed.
func FuzzDraw(f *testing.F) {
	f.Add("box a 0 0 program A | <b>\nbox b 1 1 files B\narrow a b x & y\nnote 0 2 text")
	f.Fuzz(func(t *testing.T, text string) {
		svg, err := Draw(text)
		if err != nil {
			return
		}
		for d := xml.NewDecoder(strings.NewReader(svg)); ; {
			_, err := d.Token()
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				t.Fatalf("%q gives %q: %v", text, svg, err)
			}
		}
	})
}
