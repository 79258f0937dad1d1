package local

import (
	"strings"
	"time"

	"goqmail/dot-qmail"
	"goqmail/internal/address"
)

// addedLines are what a delivery puts in front of a message, each with its
// newline: the From_ line of mbox(5), and the envelope as envelopes(5) has it.
type addedLines struct {
	from        string // UFLINE, for mboxes alone
	returnPath  string // RPLINE
	deliveredTo string // DTLINE
}

func addLines(to dotqmail.Recipient, sender string, now time.Time) addedLines {
	return addedLines{
		from:        fromLine(sender, now),
		returnPath:  oneLine("Return-Path: <" + address.Quote(sender) + ">"),
		deliveredTo: oneLine("Delivered-To: " + to.String()),
	}
}

// oneLine keeps an address from adding lines to a header.
func oneLine(s string) string { return strings.ReplaceAll(s, "\n", "_") + "\n" }

// fromLine is the line that begins a message in an mbox: the sender in one word
// and the time in UTC, in the manner of asctime(3).
func fromLine(sender string, now time.Time) string {
	if sender == "" {
		sender = "MAILER-DAEMON"
	}
	oneWord := strings.NewReplacer(" ", "-", "\t", "-", "\n", "-")
	return "From " + oneWord.Replace(sender) + " " + now.UTC().Format("Mon Jan 02 15:04:05 2006") + "\n"
}
