// Conformance judges a build of the programs by the recorded cases, prints every
// difference, and ends with the line "N passed, M failed, K skipped". It exits
// with 0 if no case failed, 1 if one did, 2 if it could not judge.
package main

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"

	"goqmail/test/conformance"
)

func main() {
	if code, is := conformance.StandIn(); is {
		os.Exit(code)
	}
	failed, err := run()
	if err != nil {
		fmt.Fprintln(os.Stderr, "conformance:", err)
		os.Exit(2)
	}
	if failed > 0 {
		os.Exit(1)
	}
}

func run() (failed int, err error) {
	bin := flag.String("bin", "bin", "folder of the programs")
	link := flag.String("link", "", "path of the home that the programs were built for, to be made a link to each case's home (default: $QMAILHOME names the home)")
	except := flag.String("except", "", "file of cases that are meant to differ, a line each: area/name reason")
	pattern := flag.String("run", "", "only cases whose area/name matches this expression")
	atOnce := flag.Int("j", 4, "cases to run at a time (1 with -link)")
	all := flag.Bool("v", false, "print every case")
	flag.Parse()
	cases, err := conformance.Load(flag.Args()...)
	if err != nil {
		return 0, err
	}
	r, err := conformance.NewRunner(*bin)
	if err != nil {
		return 0, err
	}
	defer r.Close()
	if r.Link = *link; r.Link != "" {
		*atOnce = 1
	}
	if *except != "" {
		if r.Different, err = conformance.ReadDifferences(*except); err != nil {
			return 0, err
		}
		if unknown := r.Unknown(cases); len(unknown) > 0 && *pattern == "" {
			return 0, fmt.Errorf("%s: no case is called %s", *except, unknown[0])
		}
	}
	only, err := regexp.Compile(*pattern)
	if err != nil {
		return 0, err
	}
	cases = slices.DeleteFunc(cases, func(c *conformance.Case) bool { return !only.MatchString(c.ID()) })
	return conformance.Report(os.Stdout, r.Start(cases, *atOnce), *all), nil
}
