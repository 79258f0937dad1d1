// Qmail-pw2u reads a password file and prints the assignments for users/assign. See
// qmail-pw2u(8).
package main

import (
	"errors"
	"os"

	"goqmail/internal/exitcode"
	"goqmail/internal/fault"
	"goqmail/internal/getopt"
	"goqmail/internal/home"
	"goqmail/internal/ids"
	"goqmail/users"
)

func main() { exitcode.Main(run) }

func run() int {
	rules := users.Pw2u{Alias: ids.Users[0], Dash: "-", Break: string(users.Break), Owner: users.Owner}
	options := getopt.New(os.Args[1:], "/ohHuUc:C")
	for {
		switch options.Next() {
		case 0:
			return assign(rules)
		case '/':
			rules.Dash = "-/"
		case 'o':
			rules.Homes = users.SkipHomeless
		case 'h':
			rules.Homes = users.StopHomeless
		case 'H':
			rules.Homes = users.AnyHome
		case 'u':
			rules.Upper = true
		case 'U':
			rules.Upper = false
		case 'c':
			rules.Break = options.Arg[:min(1, len(options.Arg))]
		case 'C':
			rules.Break = ""
		default:
			return usage(options.Arg)
		}
	}
}

func assign(rules users.Pw2u) int {
	if os.Chdir(home.Dir()) != nil {
		return fatal("unable to chdir")
	}
	err := rules.Read("users")
	var text []byte
	if err == nil {
		text, err = rules.Assign(os.Stdin)
	}
	var f *fault.Error
	if errors.As(err, &f) {
		return fatal(f.Text)
	}
	if _, err := os.Stdout.Write(text); err != nil {
		return fatal("unable to write output")
	}
	return exitcode.OK
}

func usage(letter string) int {
	if letter == "c" {
		os.Stderr.WriteString("qmail-pw2u: option requires an argument -- c\n")
	} else {
		os.Stderr.WriteString("qmail-pw2u: illegal option -- " + letter + "\n")
	}
	return exitcode.Hard
}

func fatal(text string) int {
	os.Stderr.WriteString("qmail-pw2u: fatal: " + text + "\n")
	return exitcode.Soft
}
