package callers

import "testing"

// TestReplayed has the command lines of programs that daemons run, or that have
// the path of sendmail compiled in.
func TestReplayed(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		args  []string
		input string
		want  want
	}{
		{"cron of Debian", []string{"-i", "-FCronDaemon", "-B8BITMIME", "-oem", "root"},
			"From: root (Cron Daemon)\nTo: root\nSubject: Cron <root@box> echo hi\nMIME-Version: 1.0\nContent-Type: text/plain; charset=UTF-8\nContent-Transfer-Encoding: 8bit\nX-Cron-Env: <SHELL=/bin/sh>\n\nhi\n.\nthere\n",
			want{"ann@mx.test.example", "root@mx.test.example", map[string]string{"From": "root@mx.test.example (Cron Daemon)", "To": "root@mx.test.example", "Subject": "Cron <root@box> echo hi"}, "hi\n.\nthere\n"}},
		{"cronie", []string{"-FCronDaemon", "-i", "-odi", "-oem", "-oi", "-t", "-f", "sue"},
			"From: \"(Cron Daemon)\" <sue>\nTo: sue\nSubject: Cron <sue@box> ls\nAuto-Submitted: auto-generated\n\nx\n",
			want{"sue@mx.test.example", "sue@mx.test.example", map[string]string{"From": "\"(Cron Daemon)\" <sue@mx.test.example>"}, "x\n"}},
		{"anacron", []string{"-FAnacron", "-odi", "root"}, "From: \"Anacron\" <root>\nTo: root\nSubject: Anacron job 'x' on box\n\nx\n",
			want{"ann@mx.test.example", "root@mx.test.example", map[string]string{"Subject": "Anacron job 'x' on box"}, "x\n"}},
		{"at", []string{"-i", "sue"}, "Subject: Output from your job        7\nTo: sue\n\nx\n.\n",
			want{"ann@mx.test.example", "sue@mx.test.example", map[string]string{"To": "sue@mx.test.example"}, "x\n.\n"}},
		{"sudo", []string{"-t"}, "To: root\nFrom: eve\nAuto-Submitted: auto-generated\nSubject: *** SECURITY information for box ***\n\nbox : Nov 21 : eve : user NOT in sudoers\n\n",
			want{"ann@mx.test.example", "root@mx.test.example", map[string]string{"From": "eve@mx.test.example"}, "NOT in sudoers"}},
		{"mdadm", []string{"-t"}, "From: mdadm monitoring <root>\nTo: root\nSubject: DegradedArray event on /dev/md0:box\n\nThis is an automatically generated mail message\n",
			want{"ann@mx.test.example", "root@mx.test.example", map[string]string{"From": "mdadm monitoring <root@mx.test.example>"}, "automatically"}},
		{"smartd", []string{"root,sue@far.example"}, "Subject: SMART error (EmailTest) detected on host: box\nTo: root,sue@far.example\n\nx\n",
			want{"ann@mx.test.example", "root@mx.test.example sue@far.example", map[string]string{"To": "root@mx.test.example,sue@far.example"}, "x\n"}},
		{"fail2ban", []string{"-f", "fail2ban <fail2ban@far.example>", "root@far.example, sue@far.example"}, "Subject: [Fail2Ban] sshd: banned\nFrom: Fail2Ban <fail2ban>\nTo: root@far.example\n\nHi,\n",
			want{"fail2ban@far.example", "root@far.example sue@far.example", map[string]string{"From": "Fail2Ban <fail2ban@mx.test.example>"}, "Hi"}},
		{"logwatch", []string{"-t"}, "To: root\nFrom: Logwatch\nSubject: Logwatch for box\nMime-Version: 1.0\n\nx\n",
			want{"ann@mx.test.example", "root@mx.test.example", map[string]string{"From": "Logwatch@mx.test.example"}, "x\n"}},
		{"msmtp by another name", []string{"--read-recipients", "--read-envelope-from", "-i", "--"}, "To: bob@far.example\nFrom: ann@far.example\n\n.\n",
			want{"ann@mx.test.example", "bob@far.example", nil, ".\n"}},
		{"Sympa", []string{"-oi", "-odi", "-oem", "-N", "success,delay,failure", "-Vsympa/7", "-f", "", "--", "bob@far.example"}, "Return-Path: <x@y>\nFrom: l@far.example\nTo: l@far.example\n\nx\n",
			want{"", "bob@far.example", map[string]string{"Return-Path": ""}, "x\n"}},
		{"Dovecot's Sieve", []string{"-i", "-f", "<>", "--", "bob@far.example"}, "From: ann@far.example\nAuto-Submitted: auto-replied (vacation)\nTo: bob@far.example\n\naway\n",
			want{"", "bob@far.example", nil, "away\n"}},
		{"PHPMailer", []string{"-oi", "-fbounce@far.example", "-t"}, "Date: x\nTo: bob@far.example\nFrom: A <ann@far.example>\nMessage-ID: <x@y>\n\nx\n",
			want{"bounce@far.example", "bob@far.example", map[string]string{"Date": "x", "Message-ID": "<x@y>"}, "x\n"}},
		{"Symfony without -i, which doubles dots", []string{"-fbounce@far.example", "--", "bob@far.example"}, "From: a@b.example\r\nTo: bob@far.example\r\n\r\nx\r\n..\r\n..y\r\n",
			want{"bounce@far.example", "bob@far.example", nil, "x\n.\n.y\n"}},
		{"Alpine, Symfony", []string{"-bs", "-odb", "-oem"}, "EHLO [127.0.0.1]\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<bob@far.example>\r\nDATA\r\nFrom: a\r\nDate: x\r\nMessage-ID: <x>\r\n\r\n..y\r\n.\r\nQUIT\r\n",
			want{"a@b.example", "bob@far.example", map[string]string{"From": "a"}, ".y\n"}},
		{"Bugzilla", []string{"-i", "-f", "bugs@far.example", "--", "bob@far.example"}, "From: bugs@far.example\nTo: bob@far.example\n\nx\n",
			want{"bugs@far.example", "bob@far.example", nil, "x\n"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t)
			out, err := h.run(tt.input, h.sendmail, tt.args...)
			trouble(t, out, err)
			tt.want.check(t, h.one())
		})
	}
}
