package main

import (
	"errors"
	"fmt"
	"html"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Units of the picture.
const (
	width       = 800
	columnWidth = 200
	rowHeight   = 90
	boxWidth    = 164
	margin      = 18
	lineHeight  = 15
)

// style has colours of its own for boxes, which are readable on light and dark ground;
// arrows and notes take a grey between the two.
const style = `<style>
text{font:12px sans-serif;text-anchor:middle;fill:#222}
.t{font-weight:bold;font-size:13px}
.n{fill:#808890}
.program rect{fill:#dbe9f6;stroke:#3a6ea5}
.files rect{fill:#f6ecc9;stroke:#a5823a}
.other rect{fill:#e8e8e8;stroke:#777}
path{fill:none;stroke:#808890;stroke-width:1.6}
marker path{fill:#808890;stroke:none}
</style>
<defs><marker id="a" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8Z"/></marker></defs>
`

type box struct {
	x, y, height float64
	kind         string
	lines        []string
}

type picture struct {
	boxes  map[string]box
	out    strings.Builder
	bottom float64
}

// Draw makes an SVG of a text; see the package documentation.
func Draw(text string) (string, error) {
	if strings.ContainsFunc(text, func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) || r == utf8.RuneError }) {
		return "", errors.New("there are characters that cannot be shown")
	}
	p := &picture{boxes: map[string]box{}}
	n := 0
	for line := range strings.Lines(text) {
		n++
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if err := p.line(line); err != nil {
			return "", fmt.Errorf("line %d: %w", n, err)
		}
	}
	head := fmt.Sprintf("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %g\" width=\"%d\">\n", width, p.bottom+margin, width)
	return head + style + p.out.String() + "</svg>\n", nil
}

func (p *picture) line(line string) error {
	kind, rest, _ := strings.Cut(line, " ")
	switch kind {
	case "box":
		return p.box(rest)
	case "arrow":
		return p.arrow(rest)
	case "note":
		return p.note(rest)
	}
	return fmt.Errorf("%q is no box, arrow or note", kind)
}

// place reads the column and the row that two words give.
func place(column, row string) (x, y float64, err error) {
	c, err := strconv.ParseFloat(column, 64)
	if err != nil {
		return 0, 0, err
	}
	r, err := strconv.ParseFloat(row, 64)
	return margin + c*columnWidth, margin + r*rowHeight, err
}

func (p *picture) box(text string) error {
	words := strings.SplitN(text, " ", 5)
	if len(words) < 5 {
		return fmt.Errorf("box %q lacks something", text)
	}
	if !slices.Contains([]string{"program", "files", "other"}, words[3]) {
		return fmt.Errorf("there is no kind %q", words[3])
	}
	x, y, err := place(words[1], words[2])
	if err != nil {
		return err
	}
	b := box{x: x, y: y, kind: words[3], lines: strings.Split(words[4], "|")}
	b.height = float64(len(b.lines)*lineHeight + 12)
	if _, ok := p.boxes[words[0]]; ok {
		return fmt.Errorf("there are two boxes %q", words[0])
	}
	p.boxes[words[0]] = b
	p.bottom = max(p.bottom, y+b.height)
	fmt.Fprintf(&p.out, "<g class=\"%s\"><rect x=\"%g\" y=\"%g\" width=\"%d\" height=\"%g\" rx=\"6\"/>", b.kind, x, y, boxWidth, b.height)
	for i, line := range b.lines {
		class := ""
		if i == 0 {
			class = ` class="t"`
		}
		fmt.Fprintf(&p.out, "<text x=\"%g\" y=\"%g\"%s>%s</text>", x+boxWidth/2, y+float64((i+1)*lineHeight)+2, class, html.EscapeString(strings.TrimSpace(line)))
	}
	p.out.WriteString("</g>\n")
	return nil
}

func (p *picture) arrow(text string) error {
	words := strings.SplitN(text, " ", 3)
	if len(words) < 2 {
		return fmt.Errorf("arrow %q has no end", text)
	}
	from, ok1 := p.boxes[words[0]]
	to, ok2 := p.boxes[words[1]]
	if !ok1 || !ok2 {
		return fmt.Errorf("arrow %q is between boxes that are not there", text)
	}
	x1, y1, x2, y2 := ends(from, to)
	fmt.Fprintf(&p.out, "<path d=\"M%g %gL%g %g\" marker-end=\"url(#a)\"/>\n", x1, y1, x2, y2)
	if len(words) == 3 {
		x, y, anchor := (x1+x2)/2, (y1+y2)/2-5, ""
		if x1 == x2 {
			x, y, anchor = x1+6, y+9, ` style="text-anchor:start"`
		}
		fmt.Fprintf(&p.out, "<text class=\"n\" x=\"%g\" y=\"%g\"%s>%s</text>\n", x, y, anchor, html.EscapeString(words[2]))
	}
	return nil
}

// ends are the points where an arrow leaves one box and meets the other: their sides
// if they are beside each other, otherwise top and bottom.
func ends(from, to box) (x1, y1, x2, y2 float64) {
	middle := func(b box) (float64, float64) { return b.x + boxWidth/2, b.y + b.height/2 }
	x1, y1 = middle(from)
	x2, y2 = middle(to)
	switch {
	case to.x > from.x+boxWidth:
		return from.x + boxWidth, y1, to.x, y2
	case from.x > to.x+boxWidth:
		return from.x, y1, to.x + boxWidth, y2
	case to.y > from.y:
		return x1, from.y + from.height, x2, to.y
	}
	return x1, from.y, x2, to.y + to.height
}

func (p *picture) note(text string) error {
	words := strings.SplitN(text, " ", 3)
	if len(words) < 3 {
		return fmt.Errorf("note %q lacks something", text)
	}
	x, y, err := place(words[0], words[1])
	if err != nil {
		return err
	}
	p.bottom = max(p.bottom, y)
	fmt.Fprintf(&p.out, "<text class=\"n\" style=\"text-anchor:start\" x=\"%g\" y=\"%g\">%s</text>\n", x, y, html.EscapeString(words[2]))
	return nil
}
