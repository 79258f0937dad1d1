package conformance

import "testing"

// fakeSend stands in for qmail-send: it asks for three deliveries, logs what
// comes back, and ends on SIGTERM once a late answer has come.
const fakeSend = `
trap 'term=1' TERM
exec 9>&0
printf 'status: 0\nnew msg 5\n' >&9
printf '\001m\0s\0one@h\0' >&1
printf '\002m\0s\0two@h\0' >&1
printf '\003m\0s\0far@h\0' >&3
echo "local $(head -c 7 <&2)" >&9
echo "remote $(head -c 9 <&4)" >&9
echo done >&9
while [ -z "$term" ]; do sleep 0.02; done
head -c 1 <&2 >/dev/null
echo bye >&9
exit 4
`

func TestSteps(t *testing.T) {
	t.Parallel()
	r := newTestRunner(t, fakes(t, map[string]string{
		"qmail-send":  fakeSend,
		"qmail-clean": "cat >/dev/null",
		"qmail-queue": "cat >$QMAILHOME/queue/mess/5/5; cat <&1 >$QMAILHOME/queue/todo/5",
	}))
	verdict, detail := r.Judge(&Case{
		Steps: []Step{
			{Queue: &QueueStep{Envelope: "Fs\x00\x00", Message: "hello\n"}},
			{Run: &RunStep{
				Idle: 200,
				Replies: map[string][]Bytes{
					"local one@h":  {"raw:xyzzy{n}"},
					"local two@h":  {"late:Z"},
					"remote far@h": {"Dwrong\n"},
				},
				Then: []Step{{Sh: "echo mess/5/5; rm $QMAILHOME/queue/todo/5"}},
			}},
		},
		Want: &Want{
			Exit:   4,
			Stdout: "mess/{message1}\n",
			Log:    []string{"bye", "done", "local xxyzzy\x01", "new msg {message1}", "remote x\x03Dwrong"},
			Home:   map[string]Bytes{"queue/mess/{message1}": "hello\n"},
			Deliveries: []Bytes{
				"local from <s> to <one@h> of missing m", "local from <s> to <two@h> of missing m", "remote from <s> to <far@h> of missing m"},
		},
	})
	if verdict != Passed {
		t.Errorf("Judge = %s\n%s", verdict, detail)
	}
}
