package main

import (
	"fmt"
	"html"
	"strings"
)

// plot is a chart of bars that lie, the longest first taken for the scale.
type plot struct {
	title, unit string
	bars        []bar
}

type bar struct {
	name   string
	spread spread
	ours   bool
}

// plotOf has a bar for each system that has figures.
func plotOf(all figures, w work, metric string, there []string) plot {
	p := plot{title: w.title, unit: w.unit + " a second"}
	if metric == "memory" {
		p.unit = "MB"
	}
	for _, name := range there {
		if s, ok := all.spread(name, w.name, metric); ok {
			p.bars = append(p.bars, bar{name, s, name == systems[0].name})
		}
	}
	return p
}

// Sizes of a chart in pixels.
const (
	plotWidth  = 720
	plotLeft   = 100 // names
	plotRight  = 130 // figures
	plotHead   = 40
	plotRow    = 32
	plotBar    = 18
	plotBottom = 12
)

// style has colours for light and for dark, both with enough contrast; they say
// nothing that the text does not.
const style = `
text { font: 14px system-ui, sans-serif; fill: #1f2328 }
.title { font-weight: 600 }
.bar { fill: #8c959f } .ours { fill: #0969da }
.range { stroke: #1f2328; stroke-width: 2 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 }
  .bar { fill: #6e7681 } .ours { fill: #4493f8 }
  .range { stroke: #e6edf3 }
}
`

// svg draws the bars to the median, and a line from the lowest to the highest.
func (p plot) svg() string {
	most := 0.0
	for _, b := range p.bars {
		most = max(most, b.spread.high)
	}
	if most == 0 {
		most = 1
	}
	scale := (plotWidth - plotLeft - plotRight) / most
	height := plotHead + plotRow*len(p.bars) + plotBottom
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %[1]d %[2]d" role="img">`, plotWidth, height)
	title := html.EscapeString(p.title + ": " + p.unit)
	fmt.Fprintf(&b, "\n<title>%s</title>\n<style>%s</style>\n", title, style)
	fmt.Fprintf(&b, `<text class="title" x="8" y="22">%s</text>`+"\n", title)
	for i, bar := range p.bars {
		y := plotHead + plotRow*i
		class := "bar"
		if bar.ours {
			class = "bar ours"
		}
		fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="end">%s</text>`+"\n", plotLeft-8, y+14, html.EscapeString(bar.name))
		fmt.Fprintf(&b, `<rect class="%s" x="%d" y="%d" width="%.1f" height="%d" rx="2"/>`+"\n", class, plotLeft, y, bar.spread.median*scale, plotBar)
		fmt.Fprintf(&b, `<line class="range" x1="%.1f" x2="%.1f" y1="%d" y2="%[3]d"/>`+"\n", plotLeft+bar.spread.low*scale, plotLeft+bar.spread.high*scale, y+plotBar/2)
		fmt.Fprintf(&b, `<text x="%.1f" y="%d">%s</text>`+"\n", plotLeft+bar.spread.high*scale+8, y+14, bar.spread)
	}
	b.WriteString("</svg>\n")
	return b.String()
}
