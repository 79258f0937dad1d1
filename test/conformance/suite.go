package conformance

import (
	"fmt"
	"io"
	"maps"
	"slices"
)

// Result is a case and, once Wait has returned, what came of it.
type Result struct {
	Case    *Case
	Verdict Verdict
	Detail  string
	done    chan struct{}
}

// Wait returns when the case has been judged.
func (r *Result) Wait() *Result {
	<-r.done
	return r
}

// Start judges cases, that many at a time. The results are in the order of the
// cases, whose runs end in any order.
func (r *Runner) Start(cases []*Case, atOnce int) []*Result {
	results := make([]*Result, len(cases))
	next := make(chan *Result, len(cases))
	for i, c := range cases {
		results[i] = &Result{Case: c, done: make(chan struct{})}
		next <- results[i]
	}
	close(next)
	for range atOnce {
		go func() {
			for result := range next {
				result.Verdict, result.Detail = r.Judge(result.Case)
				close(result.done)
			}
		}()
	}
	return results
}

// Report writes the results as they come, in their order, and ends with the line
// "N passed, M failed, K skipped". Cases that pass, or differ as they are meant
// to, are told only if all is set. It returns the number of those that failed.
func Report(out io.Writer, results []*Result, all bool) (failed int) {
	count := map[Verdict]int{}
	for _, r := range results {
		r.Wait()
		count[r.Verdict]++
		if all || r.Verdict == Failed {
			fmt.Fprintf(out, "%-4s %s\n%s", r.Verdict, r.Case.ID(), r.Detail)
		}
	}
	reportSkipped(out, results)
	if n := count[Differs]; n > 0 {
		fmt.Fprintf(out, "%d differ as they are meant to\n", n)
	}
	fmt.Fprintf(out, "%d passed, %d failed, %d skipped\n", count[Passed], count[Failed], count[Skipped])
	return count[Failed]
}

// reportSkipped tells how many cases were skipped for each reason.
func reportSkipped(out io.Writer, results []*Result) {
	reasons := map[string]int{}
	for _, r := range results {
		if r.Verdict == Skipped {
			reasons[r.Detail]++
		}
	}
	for _, reason := range slices.Sorted(maps.Keys(reasons)) {
		fmt.Fprintf(out, "SKIP %d cases:%s", reasons[reason], reason[1:])
	}
}

// Unknown returns the names among those listed as different that no case has.
func (r *Runner) Unknown(cases []*Case) []string {
	left := maps.Clone(r.Different)
	for _, c := range cases {
		delete(left, c.ID())
	}
	return slices.Sorted(maps.Keys(left))
}
