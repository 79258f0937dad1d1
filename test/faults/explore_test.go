//go:build linux && amd64

package faults

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

var (
	seed = flag.Uint64("seed", 1, "what is chosen where not all is done; 0: something else each time")
	all  = flag.Bool("all", false, "do everything with each call, which takes long")
	one  = flag.String("program", "", "have that program fail, and no other")
	list = flag.Bool("list", false, "show the calls of each program")
	only = flag.String("only", "", "do one thing: PROGRAM: CALL no. N: ACTION")
)

// scenario is something that a program takes part in.
type scenario struct {
	programs []string // that are faulty, one after the other
	share    share
	budget   time.Duration
	run      func(*outcome, plan)
}

// share is how much is done unless all is.
type share int

const (
	everything share = iota
	both             // one call of each kind, for a kill and an error
	either           // one call of each kind, for a kill or an error
)

// some time is for scenarios of one program, hundreds of runs of which take seconds.
const some = 10 * time.Second

var scenarios = map[string]scenario{
	// Programs that stay.
	"staying": {
		[]string{"qmail-start", "qmail-send", "qmail-lspawn", "qmail-getpw", "qmail-rspawn", "qmail-clean", "qmail-queue", "qmail-local", "qmail-remote"}, both, 45 * time.Second,
		func(o *outcome, p plan) { deliver(o, p, false) },
	},
	// The same, when much comes in.
	"hurrying": {
		[]string{"qmail-send", "qmail-clean", "qmail-queue"}, either, 20 * time.Second,
		func(o *outcome, p plan) { deliver(o, p, true) },
	},
	// One process for each message and delivery.
	"once": {
		[]string{"qmail-lspawn", "qmail-rspawn", "qmail-queue", "qmail-local", "qmail-remote"}, either, 20 * time.Second,
		func(o *outcome, p plan) {
			deliver(o, p, false, "QMAILQUEUE="+home+"/bin/qmail-queue", "QMAILLOCAL="+home+"/bin/qmail-local", "QMAILREMOTE="+home+"/bin/qmail-remote")
		},
	},
	"queueing":   {[]string{"qmail-queue", "qmail-qmqpc"}, everything, some, submitting(byQueue)},
	"injecting":  {[]string{"qmail-inject", "sendmail"}, everything, some, submitting(byInject)},
	"forwarding": {[]string{"forward"}, everything, some, submitting(byForward)},
	"netstrings": {[]string{"qmail-qmtpd", "qmail-qmqpd"}, everything, some, submitting(byNetstrings)},
	"session":    {[]string{"qmail-smtpd"}, everything, some, submitting(bySMTP)},
	"listening":  {[]string{"qmail-smtpd"}, everything, some, submitting(byListening)},
	"fetching":   {[]string{"qmail-pop3d"}, everything, some, fetch},
}

func submitting(how func(*submission)) func(*outcome, plan) {
	return func(o *outcome, p plan) { submit(o, p, how) }
}

func TestStaying(t *testing.T)  { explore(t, "staying") }
func TestHurrying(t *testing.T) { explore(t, "hurrying") }
func TestOnce(t *testing.T)     { explore(t, "once") }

func TestFetching(t *testing.T) { explore(t, "fetching") }

func TestSubmission(t *testing.T) {
	for _, name := range []string{"queueing", "injecting", "forwarding", "netstrings", "session", "listening"} {
		t.Run(name, func(t *testing.T) { explore(t, name) })
	}
}

// explore goes through all programs of a scenario, in the order of chance, so that each
// gets its share if time does not suffice.
func explore(t *testing.T, name string) {
	if testing.Short() {
		t.Skip("takes minutes")
	}
	crew.hire(t)
	if *seed == 0 {
		*seed = uint64(time.Now().UnixNano())
	}
	t.Logf("-seed %d", *seed)
	random := rand.New(rand.NewPCG(*seed, 0))
	s := scenarios[name]
	sum := &summary{t: t, scenario: name, delivers: strings.Contains("staying hurrying once", name)}
	if !*all {
		sum.until = time.Now().Add(s.budget)
	}
	var plans []plan
	programs := slices.DeleteFunc(slices.Clone(s.programs), func(p string) bool { return *one != "" && *one != p })
	for _, program := range programs {
		found := calls(t, name, program)
		if *list {
			t.Log(program, found)
		}
		plans = append(plans, choose(random, s.share, program, found)...)
	}
	random.Shuffle(len(plans), func(i, j int) { plans[i], plans[j] = plans[j], plans[i] })
	sum.all(plans)
	for _, program := range programs {
		t.Log(program, sum.of[program])
	}
	if len(sum.again) > 0 {
		t.Logf("done again after an error: %q", sum.again)
	}
}

// calls are those of a program when all goes well. Not all of them come in each run.
func calls(t *testing.T, scenario, program string) []seen {
	t.Helper()
	var found []seen
	for range 2 {
		o := crew.do(job{scenario, plan{Program: program}})
		if len(o.Problems) > 0 {
			t.Fatalf("without a fault: %q, ended: %q\n%s", o.Problems, o.Report.Ends, o.Log)
		}
		if len(o.Report.Calls) == 0 {
			t.Fatalf("%s does nothing: %q\n%s", program, o.Report.Ends, o.Log)
		}
		for _, s := range o.Report.Calls {
			if !slices.ContainsFunc(found, func(f seen) bool { return f.Call == s.Call && f.Nth == s.Nth }) {
				found = append(found, s)
			}
		}
	}
	return found
}

// choose makes plans: each call is where the program is killed, and each fails in a way
// that it can fail.
func choose(random *rand.Rand, part share, program string, found []seen) []plan {
	var plans []plan
	add := func(s seen, action string) {
		p := plan{Program: program, Call: s.Call, Number: s.Number, Nth: s.Nth, Action: action}
		if *only == "" || *only == p.String() {
			plans = append(plans, p)
		}
	}
	if part == everything || *all || *only != "" {
		for _, s := range found {
			for _, action := range actions(s) {
				add(s, action)
			}
		}
		return plans
	}
	kinds := map[string][]seen{}
	var names []string
	for _, s := range found {
		if rarely.MatchString(s.Call) && random.IntN(4) > 0 {
			continue
		}
		if kinds[s.Call] == nil {
			names = append(names, s.Call)
		}
		kinds[s.Call] = append(kinds[s.Call], s)
	}
	slices.Sort(names)
	for _, name := range names {
		alike := kinds[name]
		s := alike[random.IntN(len(alike))]
		errors := actions(s)[1:]
		die := random.IntN(2) == 0
		if part == both || die {
			add(s, kill)
		}
		if part == both || !die {
			add(s, errors[random.IntN(len(errors))])
		}
	}
	return plans
}

// rarely are calls of which a quarter is looked at: those by which Go's runtime begins,
// the same in each program, and those that close files.
var rarely = regexp.MustCompile(`^close|\((/sys/|/proc/N/|/proc/self/(cgroup|mountinfo))`)

// actions are all that can be done at a call.
func actions(s seen) []string {
	some := append([]string{kill}, s.Errors...)
	for _, e := range s.ForGood {
		some = append(some, e+forGood)
	}
	return some
}

// summary is of the runs of a scenario.
type summary struct {
	t        *testing.T
	scenario string
	delivers bool      // there is a log
	until    time.Time // then no more runs begin; zero: all do
	mu       sync.Mutex
	of       map[string]*count // by program
	again    []string          // where an error had a delivery done again
}

// count is of the runs of one program.
type count struct{ runs, left, missed, doubled int }

func (c *count) String() string {
	return fmt.Sprintf("%d runs, of which %d did not come to the call, and %d for which there was no time; %d deliveries done again",
		c.runs, c.missed, c.left, c.doubled)
}

func (s *summary) all(plans []plan) {
	s.of = map[string]*count{}
	for _, p := range plans {
		s.of[p.Program] = &count{}
	}
	var group sync.WaitGroup
	next := make(chan plan)
	for range crew.all {
		group.Go(func() {
			for p := range next {
				if s.until.IsZero() || time.Now().Before(s.until) {
					s.note(p, crew.do(job{s.scenario, p}))
				} else {
					s.mu.Lock()
					s.of[p.Program].left++
					s.mu.Unlock()
				}
			}
		})
	}
	for _, p := range plans {
		next <- p
	}
	close(next)
	group.Wait()
	for program, c := range s.of {
		if c.runs >= 20 && c.missed > c.runs*2/3 {
			s.t.Errorf("%s: too many runs did not come to the call", program)
		}
	}
}

func (s *summary) note(p plan, o outcome) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.of[p.Program]
	c.runs++
	c.doubled += o.Doubled
	if o.Doubled > 0 && p.Action != kill && !strings.HasSuffix(p.Action, forGood) {
		s.again = append(s.again, p.String())
	}
	if !o.Report.Hit {
		c.missed++
	}
	if s.delivers && o.Report.Hit && len(o.Telling) == 0 && (o.Disturbed && !nobody(p) || mustTell(p)) {
		o.problem("nothing in the log tells")
	}
	if len(o.Problems) > 0 {
		s.t.Errorf("%v\n%s\nended: %q, told: %q", p, strings.Join(o.Problems, "\n"), o.Report.Ends, o.Telling)
	}
	if *only != "" {
		s.t.Logf("%v: %+v %q\n%s", p, o.Report, o.Telling, o.Log)
	}
}

// nobody reports whether nobody is left who could write into the log, or none need to:
// without the trigger mail is found seconds later, which is more than the test waits.
func nobody(p plan) bool {
	return p.Action == kill && (p.Program == "qmail-send" || p.Program == "qmail-start") ||
		p.Program == "qmail-queue" && strings.HasSuffix(p.Call, "(lock/trigger)")
}

// keeps are the calls by which mail is kept.
var keeps = regexp.MustCompile(`^(create|write|pwrite|copy_file_range|fsync|fdatasync|rename|link|unlink|ftruncate|utimes)\(` +
	`.*(mess|intd|todo|info|local|remote|bounce|Maildir|Mailbox|new|tmp)`)

// mustTell reports whether the log has to say that a call has failed, although all goes
// well in the end.
func mustTell(p plan) bool {
	return p.Action != kill && !p.harmless() && keeps.MatchString(p.Call) && !unimportant.MatchString(p.Call) &&
		// Of what it has not made it removes only spare files that are of no use, and qmail-clean does so too.
		!(p.Program == "qmail-queue" && strings.HasPrefix(p.Call, "unlink(mess/"))
}

// unimportant are calls of [keeps] that may fail and nobody need know: about reports that
// are shown to administrators, and files that are used again; if not, others are made.
var unimportant = regexp.MustCompile(`^unlink\((lock/send|pid)/|^rename\((pid|mess|intd|todo)/|^utimes\((mess|intd|info)/`)
