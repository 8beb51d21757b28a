package removeuser_test

import (
	"context"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/awsaccess"
	"github.com/aws-root-account/rootbot/ops/awstest"
)

// That no user has a name proves nothing of the person: the name may be misspelled.
func TestNobodyThere(t *testing.T) {
	t.Parallel()
	for _, mode := range modes {
		for _, test := range []struct {
			name, asked string
			change      func(*world)
			want        []string
		}{
			{"and nobody is called alike", "never.was@softwire.com", nil, []string{"No IAM user is called never.was@softwire.com. Check the spelling."}},
			{"but of another domain", "ann.other@digital.cabinet-office.gov.uk", nil, []string{"No IAM user is called ann.other@digital.cabinet-office.gov.uk. Check the spelling; similar: ann.other@softwire.com."}},
			{"but with a letter too many", "jo.doee@softwire.com", nil, []string{"Check the spelling; similar: " + namesake + "."}},
			{"but with two letters changed round", "an.nother@softwire.com", nil, []string{"similar: ann.other@softwire.com."}},
			{"among more users than stand on a page", "jo.doee@softwire.com", func(w *world) { w.aws.SetPageSize(1) }, []string{"similar: " + namesake + "."}},
			{
				"and the names can't be listed", "jo.doee@softwire.com", func(w *world) { w.aws.Fail("iam:ListUsers", awstest.Fault{Code: "AccessDenied"}) },
				[]string{"No IAM user is called jo.doee@softwire.com. Check the spelling."},
			},
			{
				"and only users who may not be removed are called alike", "root@softwire.com", func(w *world) { w.iam.AddUser(awstest.IAMUser{Name: "root@elsewhere.com"}) },
				[]string{"No IAM user is called root@softwire.com. Check the spelling."},
			},
		} {
			t.Run(mode+" "+test.name, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, mode)
				if test.change != nil {
					test.change(w)
				}
				_, err := w.walkFor(test.asked).Look(t.Context())
				w.refused(err, ops.Invalid, test.want...)
				if n := w.aws.Count("cloudtrail:*"); n > 0 {
					t.Errorf("%d calls of CloudTrail", n)
				}
				w.done()
			})
		}
	}
}

func TestProtected(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		change func(*world)
		want   string // empty: not protected
		calls  bool   // AWS has to be asked
	}{
		{"by name", func(w *world) { w.settings.Protected = []string{"x", leaver} }, leaver + " is protected by the pattern \"" + leaver + "\" in the bot's settings.", false},
		{"by a pattern", func(w *world) { w.settings.Protected = []string{"jo.*@*"} }, `is protected by the pattern "jo.*@*"`, false},
		{"by a pattern with classes", func(w *world) { w.settings.Protected = []string{"j[a-z].?oe@digital*"} }, "is protected by the pattern", false},
		{"by a tag", func(w *world) { w.settings.ProtectedTags = map[string]string{"team": "payments"} }, leaver + " is protected by its tag team=payments.", true},
		{"not by a part of the name", func(w *world) { w.settings.Protected = []string{"jo.doe", "digital*", "*@digital"} }, "", true},
		{"not by the namesake's name", func(w *world) { w.settings.Protected = []string{namesake} }, "", true},
		{"not by a tag of another value", func(w *world) { w.settings.ProtectedTags = map[string]string{"team": "platform", "Owner": ""} }, "", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			for _, mode := range modes {
				w := newWorld(t, mode)
				before := w.user(leaver)
				test.change(w)
				_, err := w.walk().Look(t.Context())
				if test.want != "" {
					w.refused(err, ops.Refused, test.want)
				} else if err != nil {
					t.Error(err)
				}
				if asked := len(w.aws.Calls()) > 0; asked != test.calls {
					t.Errorf("AWS was asked: %v", asked)
				}
				w.same(before)
				w.done()
			}
		})
	}
}

// Nobody was shown the things that others add between looking and deleting: the run
// leaves the user alone, without power, until people have seen them.
func TestAddedWhileDeleting(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		add  func(*awstest.IAMUser)
	}{
		{"a key", func(u *awstest.IAMUser) { u.AccessKeys = append(u.AccessKeys, awstest.AccessKey{}) }},
		{"a password", func(u *awstest.IAMUser) { u.Login = &awstest.LoginProfile{} }},
		{"a group", func(u *awstest.IAMUser) { u.Groups = append(u.Groups, "late") }},
		{"a policy", func(u *awstest.IAMUser) {
			u.Attached = append(u.Attached, "arn:aws:iam::aws:policy/AdministratorAccess")
		}},
		{"an inline policy", func(u *awstest.IAMUser) { u.Inline = map[string]string{"late": "{}"} }},
		{"a device", func(u *awstest.IAMUser) {
			u.MFA = append(u.MFA, awstest.MFADevice{Serial: "arn:aws:iam::" + account + ":mfa/late"})
		}},
		{"one of everything", func(u *awstest.IAMUser) {
			again := everything(leaver)
			again.Tags, again.MFA = u.Tags, nil
			*u = again
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, iamMode)
			w.settings.Grace = 0
			var times atomic.Int32
			w.aws.OnCall("iam:DeleteUser", func(awstest.Call) {
				if times.Add(1) == 1 {
					w.iam.ChangeUser(leaver, test.add)
				}
			})
			w.noPowerAgain()
			walk := w.walk()
			w.asksAgain(walk)
			err := walk.Run(t.Context())
			if test.name == "a password" { // there was one, and its end was shown
				if err != nil {
					t.Error(err)
				}
				return
			}
			if !ops.Halted(err) || !strings.Contains(text(walk.Lines()), "warning "+leaver+" has something that wasn't there when the removal was approved") {
				t.Fatalf("got %v, told\n%s", err, text(walk.Lines()))
			}
			if u := w.user(leaver); !slices.Contains(u.Attached, awstest.AWSDenyAll) {
				t.Errorf("it has power while people are asked: %+v", u)
			}
			// Shown and approved, it goes as well.
			w.look(walk)
			if report := w.run(walk); !report.OK() || times.Load() != 2 {
				t.Errorf("report %+v after %d rounds", report, times.Load())
			}
			if _, ok := w.iam.User(leaver); ok {
				t.Error("the user is still there")
			}
			if n := len(w.iam.VirtualDevices()); n != 1 {
				t.Errorf("virtual devices %v", w.iam.VirtualDevices())
			}
			w.done()
		})
	}
}

// noPowerAgain watches that the leaver, once deny-all is attached, never again
// has a credential without it.
func (w *world) noPowerAgain() {
	var denied atomic.Bool
	w.aws.OnCall("iam:*", func(c awstest.Call) {
		u, ok := w.iam.User(leaver)
		deny := slices.Contains(u.Attached, awstest.AWSDenyAll)
		active := u.Login != nil || slices.ContainsFunc(u.AccessKeys, func(k awstest.AccessKey) bool { return !k.Inactive }) ||
			slices.ContainsFunc(u.Credentials, func(s awstest.ServiceCredential) bool { return !s.Inactive })
		if deny {
			denied.Store(true)
		}
		// What somebody else has just added is there before the bot can know.
		if ok && denied.Load() && !deny && active && c.Action != "DeleteUser" && c.Action != "AttachUserPolicy" {
			w.Errorf("at %s the user has power again: %+v", c.Name(), u)
		}
	})
}

// What IAM doesn't list can't be shown, and not be taken off.
func TestSomethingThatIsNotListed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, iamMode)
	w.settings.Grace = 0
	w.aws.Fail("iam:DeleteUser", awstest.Fault{Code: "DeleteConflict"})
	walk := w.walk()
	err := walk.Run(t.Context())
	w.refused(err, ops.Unavailable, "IAM refused to delete "+leaver+" 5 times", "something that IAM doesn't list", "still there, with deny-all attached", "run it again")
	if n := w.aws.Count("iam:DeleteUser"); n != 5 || !w.iam.Powerless(leaver) {
		t.Errorf("%d rounds, powerless %v", n, w.iam.Powerless(leaver))
	}
	w.done()
}

func TestRoleCannotBeAssumed(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, drop, want string
	}{
		{"for want of sts:AssumeRole", "sts:AssumeRole", "sts:AssumeRole"},
		{"for want of sts:SetSourceIdentity", "sts:SetSourceIdentity", "sts:SetSourceIdentity"},
		{"for want of sts:TagSession", "sts:TagSession", "sts:TagSession"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, iamMode)
			before := w.user(leaver)
			trust := strings.ReplaceAll(strings.ReplaceAll(awsaccess.Trust, "${bot_role}", botRole), `"`+test.drop+`"`, `"sts:GetCallerIdentity"`)
			w.aws.AddRole(awstest.Role{ARN: actRole, Policy: w.fill(w.operation().Access.Act), Trust: trust})
			walk := w.walk()
			w.refused(walk.Run(t.Context()), ops.Unavailable, "AWS doesn't let the bot assume the role "+actRole+" ("+test.want+" was refused).")
			w.same(before)
			if test.drop == "sts:TagSession" {
				return // looking needs no tags
			}
			w.aws.AddRole(awstest.Role{ARN: lookRole, Policy: w.fill(w.operation().Access.Look), Trust: trust})
			_, err := w.walk().Look(t.Context())
			w.refused(err, ops.Unavailable, "AWS doesn't let the bot assume the role "+lookRole+" ("+test.want+" was refused).")
		})
	}
}

// Somebody deletes the user while the bot is at it.
func TestDeletedBySomebodyElse(t *testing.T) {
	t.Parallel()
	for _, action := range []string{
		"ListUserPolicies", "AttachUserPolicy", "GetLoginProfile", "UpdateAccessKey", "TagUser", "DeleteLoginProfile", "DeactivateMFADevice",
		"RemoveUserFromGroup", "DeleteUserPermissionsBoundary", "DeleteUser",
	} {
		t.Run("before "+action, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, iamMode)
			w.settings.Grace = 0
			walk := w.walk()
			w.look(walk)
			w.aws.OnCall("iam:"+action, func(awstest.Call) { w.iam.DeleteUser(leaver) })
			err := walk.Run(t.Context())
			if err != nil {
				w.refused(err, ops.Unavailable, "NoSuchEntity")
				err = walk.Run(t.Context())
			}
			report, ok := walk.Report()
			want := leaver + " is removed."
			if action == "ListUserPolicies" { // the run finds nobody to lock out
				want = leaver + " was already gone when the run began: not removed by this run."
			}
			if err != nil || !ok || !report.OK() || report.Summary != want {
				t.Errorf("%v, report %+v", err, report)
			}
			w.done()
		})
	}
	t.Run("in the grace", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, iamMode)
		walk := w.walk()
		w.quarantined(walk)
		w.iam.DeleteUser(leaver)
		w.refused(walk.Undo(t.Context()), ops.Refused, "IAM user "+leaver+" (AIDA", "is gone, so it can't be restored.")
		w.done()
	})
}

// A key that goes while the bot looks at it is not the user.
func TestKeyDeletedWhileLooking(t *testing.T) {
	t.Parallel()
	w := newWorld(t, iamMode)
	w.aws.OnCall("iam:GetAccessKeyLastUsed", func(c awstest.Call) {
		w.iam.ChangeUser(leaver, func(u *awstest.IAMUser) {
			u.AccessKeys = slices.DeleteFunc(u.AccessKeys, func(k awstest.AccessKey) bool { return strings.Contains(string(c.Params), k.ID) })
		})
	})
	if plan := w.look(w.walk()); len(plan.Steps) == 0 || !strings.HasPrefix(plan.Summary, "Take all access") {
		t.Errorf("summary %q", plan.Summary)
	}
}

// Whoever is made anew under the name is another one, and left alone.
func TestAnotherUserOfTheSameName(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, step string }{
		{"before the quarantine", "quarantine"},
		{"before the restore", "grace"},
		{"before the removal", "delete"},
		{"before the pull request is merged", "merge"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, iamMode)
			if test.step == "merge" {
				w.settings.Users = terraformMode
			}
			walk := w.walk()
			w.until(walk, test.step)
			if test.step == "grace" {
				w.quarantined(walk)
			}
			w.iam.DeleteUser(leaver)
			anew := everything(leaver)
			anew.ID, anew.Attached = "AIDAANOTHERONE0000000", []string{awstest.AWSDenyAll}
			was := w.iam.AddUser(anew)
			var err error
			if test.step == "grace" {
				err = walk.Undo(t.Context())
			} else {
				err = walk.Run(t.Context())
			}
			w.refused(err, ops.Refused, leaver, "AIDAANOTHERONE0000000")
			w.same(was)
		})
	}
}

// IAM shows changes late.
func TestIAMIsSlow(t *testing.T) {
	t.Parallel()
	const lag = 12 * time.Second
	for _, mode := range modes {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, mode)
			w.iam.SetLag(lag)
			walk := w.walk()
			w.noPowerAgain()
			began := w.clock.Now()
			w.until(walk, "grace")
			if waited := w.clock.Now().Sub(began); !w.iam.Powerless(leaver) || waited < lag {
				t.Errorf("powerless %v after %v", w.iam.Powerless(leaver), waited)
			}
			if report := w.run(walk); !report.OK() {
				t.Errorf("report %+v", report)
			}
			w.done()
		})
	}
	t.Run("restore", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, iamMode)
		before := w.user(leaver)
		w.iam.SetLag(lag)
		walk := w.walk()
		w.quarantined(walk)
		if err := walk.Undo(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.same(before)
		if report, ok := walk.Report(); !ok || !report.OK() {
			t.Errorf("report %+v", report)
		}
		w.done()
	})
	t.Run("longer than can be waited for", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, iamMode)
		walk := w.walk()
		w.iam.SetLag(time.Hour)
		walk.Waiting = func(context.Context) error {
			w.clock.Advance(20 * time.Second)
			return nil
		}
		w.refused(walk.Run(t.Context()), ops.Unavailable, "The quarantine of "+leaver+" was asked of AWS but isn't there when it is read back", awstest.AWSDenyAll+" isn't attached", "is active", "Look at the user in the console at once.")
		w.done()
	})
}

// A quarantine that stops half-way waits for IAM just as long when it is run again.
func TestSlowIAMAfterAFailure(t *testing.T) {
	t.Parallel()
	w := newWorld(t, iamMode)
	walk := w.walk()
	w.until(walk, "quarantine")
	w.aws.Fail("iam:UpdateAccessKey", awstest.Fault{Code: "AccessDenied"})
	w.refused(walk.Run(t.Context()), ops.Unavailable, "iam:UpdateAccessKey")
	w.aws.Heal("*")
	w.clock.Advance(time.Hour)
	walk.Restart()
	w.iam.SetLag(10 * time.Second)
	if report := w.run(walk); !report.OK() {
		t.Errorf("report %+v", report)
	}
	w.done()
}
