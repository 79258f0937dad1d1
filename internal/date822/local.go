package date822

import (
	"strconv"
	"strings"
	"time"
)

// FormatLocal returns t in its own zone, as in "21 Nov 2026 18:04:07 +0530". A
// zone's offset is told in minutes, rounded.
func FormatLocal(t time.Time) string {
	_, seconds := t.Zone()
	sign := "+"
	if seconds < 0 {
		sign, seconds = "-", -seconds
	}
	minutes := (seconds + 30) / 60
	offset := strconv.Itoa(10000 + minutes/60*100 + minutes%60)
	return t.Format("2 Jan 2006 15:04:05 ") + sign + offset[1:]
}

// Zone returns the zone that $TZ asks for. Package time knows those that have a
// file; this knows rules, too, as in "CET-1CEST,M3.5.0,M10.5.0/3" (POSIX.1-2024,
// base definitions, 8.3).
func Zone(tz string) *time.Location {
	if tz == "" || strings.ContainsAny(tz[:1], ":/") || strings.Contains(tz, "\n") {
		return time.Local
	}
	if _, err := time.LoadLocation(tz); err == nil {
		return time.Local
	}
	zone, err := time.LoadLocationFromTZData(tz, ruleFile(tz))
	if err != nil {
		return time.Local
	}
	return zone
}

// ruleFile is the contents of a zone file that has nothing but a rule, RFC 9636:
// a header and an empty body of version 1, a header and a body of version 2 with
// UTC, which holds if the rule is no rule, and the rule.
func ruleFile(rule string) []byte {
	const (
		start = "TZif2\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
		none  = "\x00\x00\x00\x00"
		zone  = "\x00\x00\x00\x00\x00\x00" + "UTC\x00"
	)
	empty := start + none + none + none + none + none + none
	counts := none + none + none + none + "\x00\x00\x00\x01" + "\x00\x00\x00\x04"
	return []byte(empty + start + counts + zone + "\n" + rule + "\n")
}
