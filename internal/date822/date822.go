// Package date822 formats dates for message headers the way qmail does.
package date822

import "time"

// Format returns t as in "21 Nov 2026 18:04:07 -0000": RFC 822 section 5, always
// in UTC, with the zone -0000 that says nothing about where the host is, and
// without a newline. A caller that needs the user's own zone formats it itself.
func Format(t time.Time) string {
	return t.UTC().Format("2 Jan 2006 15:04:05 -0000")
}
