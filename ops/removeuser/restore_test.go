package removeuser_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/awstest"
	"github.com/aws-root-account/rootbot/ops/githubtest"
)

const untag = "Remove the tags removal-request, quarantined-at, quarantined-keys from " + leaver

// restores are what there may be to restore.
var restores = []struct {
	name   string
	before func(*awstest.IAMUser) // how the user is before it all
	then   func(*awstest.IAMUser) // what people do in the quarantine
	want   []string               // KEY is the key that was active, ID the user's
	after  func(*awstest.IAMUser) // how the user then is, other than before; nil: just so
}{
	{
		name: "everything", want: []string{"Activate access key KEY", untag, "Detach " + awstest.AWSDenyAll + " from IAM user " + leaver + " (ID)"},
	},
	{
		name: "but what was there before",
		before: func(u *awstest.IAMUser) {
			u.Attached, u.AccessKeys[0].Inactive = append(u.Attached, awstest.AWSDenyAll), true
		},
		want: []string{untag},
	},
	{
		name: "but what people have put back already",
		then: func(u *awstest.IAMUser) {
			u.Attached = slices.DeleteFunc(u.Attached, func(arn string) bool { return arn == awstest.AWSDenyAll })
			for i := range u.AccessKeys {
				u.AccessKeys[i].Inactive = i > 0
			}
		},
		want: []string{untag},
	},
	{
		name: "but for a key that people have deleted", then: func(u *awstest.IAMUser) { u.AccessKeys = u.AccessKeys[1:] },
		want:  []string{untag, "Detach " + awstest.AWSDenyAll + " from IAM user " + leaver + " (ID)"},
		after: func(u *awstest.IAMUser) { u.AccessKeys = u.AccessKeys[1:] },
	},
	{
		name: "and leaves what people have given", then: func(u *awstest.IAMUser) { u.Groups = append(u.Groups, "late") },
		want:  []string{"Activate access key KEY", untag, "Detach " + awstest.AWSDenyAll + " from IAM user " + leaver + " (ID)"},
		after: func(u *awstest.IAMUser) { u.Groups = append(u.Groups, "late") },
	},
	{
		name:   "with earlier tags",
		before: func(u *awstest.IAMUser) { u.Tags["quarantined-at"] = "once" },
		want: []string{
			"Activate access key KEY", "Put back the earlier tags quarantined-at of " + leaver, "Remove the tags removal-request, quarantined-keys from " + leaver,
			"Detach " + awstest.AWSDenyAll + " from IAM user " + leaver + " (ID)",
		},
	},
	{
		name:   "with deny-all as boundary",
		before: full(10),
		want:   []string{"Activate access key KEY", untag, "Set " + limits + " as permissions boundary of IAM user " + leaver + " (ID) again, in place of " + awstest.AWSDenyAll},
	},
	{
		name:   "with deny-all as boundary where there was none",
		before: func(u *awstest.IAMUser) { full(10)(u); u.Boundary = "" },
		want:   []string{"Activate access key KEY", untag, "Delete permissions boundary " + awstest.AWSDenyAll + " of IAM user " + leaver + " (ID)"},
	},
}

// Restore says first what it will do, exactly, looks at the world as it is then, and
// undoes no more than this request did.
func TestRestoreSaysWhatItWillDo(t *testing.T) {
	t.Parallel()
	for _, test := range restores {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, iamMode)
			// The key that is active is the first.
			w.iam.ChangeUser(leaver, func(u *awstest.IAMUser) { u.AccessKeys[0].Inactive, u.AccessKeys[1].Inactive = false, true })
			if test.before != nil {
				w.iam.ChangeUser(leaver, test.before)
			}
			before := w.user(leaver)
			walk := w.walk()
			w.quarantined(walk)
			if test.then != nil {
				w.iam.ChangeUser(leaver, test.then)
			}
			writes := len(w.writes())
			got, err := walk.UndoPlan(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			names := strings.NewReplacer("KEY", before.AccessKeys[0].ID, "(ID)", "("+before.ID+")")
			if diff := cmp.Diff(strings.Split(names.Replace(strings.Join(test.want, "\n")), "\n"), got); diff != "" {
				t.Errorf("it will (-want +got):\n%s", diff)
			}
			if more := w.writes()[writes:]; len(more) > 0 {
				t.Errorf("looking wrote %v", more)
			}
			if err := walk.Undo(t.Context()); err != nil {
				t.Fatal(err)
			}
			if test.after != nil {
				test.after(&before)
			}
			now := w.user(leaver)
			before.Groups = slices.Sorted(slices.Values(before.Groups))
			if diff := diffUsers(before, now); diff != "" {
				t.Errorf("-want +is:\n%s", diff)
			}
			if report, ok := walk.Report(); !ok || !report.OK() {
				t.Errorf("report %+v", report)
			}
			if left, err := walk.UndoPlan(t.Context()); err != nil || len(left) > 0 {
				t.Errorf("left to do: %q, %v", left, err)
			}
			w.done()
		})
	}
}

// Where the user isn't this request's any more, Restore is refused and says why.
func TestRestoreIsRefused(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		change func(*world)
		want   []string
	}{
		{"a newer request has taken the user over", func(w *world) {
			next := w.walk()
			next.Request.ID = "0199a3c2-7d51-7c0a-9f3e-5b6f0a0b0c0d"
			w.until(next, "grace")
		}, []string{leaver + " is in quarantine by a newer request now, 0199a3c2-7d51-7c0a-9f3e-5b6f0a0b0c0d.", "Restore that request."}},
		{"another user has the name", func(w *world) {
			w.iam.DeleteUser(leaver)
			anew := everything(leaver)
			anew.ID = "AIDAANOTHERONE0000000"
			w.iam.AddUser(anew)
		}, []string{"The IAM user " + leaver + " is another one now", "AIDAANOTHERONE0000000 is there, which is left alone."}},
		{"the user is gone", func(w *world) { w.iam.DeleteUser(leaver) }, []string{"IAM user " + leaver + " (AIDA", "is gone, so it can't be restored."}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, iamMode)
			walk := w.walk()
			w.quarantined(walk)
			test.change(w)
			was, _ := w.iam.User(leaver)
			writes := len(w.writes())
			_, err := walk.UndoPlan(t.Context())
			w.refused(err, ops.Refused, test.want...)
			w.refused(walk.Undo(t.Context()), ops.Refused, test.want...)
			if now, _ := w.iam.User(leaver); diffUsers(was, now) != "" || len(w.writes()) > writes {
				t.Errorf("it changed something: %v", w.writes()[writes:])
			}
		})
	}
}

// Restore works from every point after the first change, also where the run has
// failed or its process has died.
func TestRestoreFromAnyPoint(t *testing.T) {
	t.Parallel()
	restored := func(t *testing.T, mode string, prepare func(*world)) {
		t.Helper()
		w := newWorld(t, mode)
		w.iam.ChangeUser(leaver, fewer)
		w.settings.Grace = time.Hour
		before := w.user(leaver)
		walk := w.walk()
		w.look(walk)
		prepare(w)
		for err := error(nil); err == nil && walk.At() != "merge"; {
			err = walk.Step(t.Context())
		}
		w.aws.Heal("*")
		w.github.ClearFaults()
		if err := walk.Undo(t.Context()); err != nil {
			t.Errorf("at %q: %v", walk.At(), err)
		}
		w.same(before)
		for _, p := range w.github.Pulls(repo) {
			if p.State == "open" || slices.Contains(w.github.Branches(repo), p.Head) {
				t.Errorf("left behind: pull request %s, branches %v", p.State, w.github.Branches(repo))
			}
		}
		w.done()
	}
	for _, mode := range modes {
		for _, action := range []string{"AttachUserPolicy", "UpdateAccessKey", "GetUser", "DeleteAccessKey"} {
			t.Run(mode+", after iam:"+action+" was refused", func(t *testing.T) {
				t.Parallel()
				if mode == terraformMode && action == "DeleteAccessKey" {
					t.Skip("that is after the merge, which nothing here does")
				}
				restored(t, mode, func(w *world) {
					w.aws.Fail("iam:"+action, awstest.Fault{Code: "AccessDenied", Skip: map[string]int{"GetUser": 2}[action]})
				})
			})
		}
	}
	for _, fault := range []string{"POST /repos/*/*/git/trees", "POST /repos/*/*/git/refs", "POST /repos/*/*/pulls$", "POST /repos/*/*/pulls/*/requested_reviewers"} {
		t.Run("after GitHub refused "+fault, func(t *testing.T) {
			t.Parallel()
			restored(t, terraformMode, func(w *world) { w.github.Fail(fault, githubtest.Fault{Status: 403}) })
		})
	}
}

// While the pull request waits, and after people have closed it, Restore withdraws it
// and gives the access back; once it is merged it says what will come of that.
func TestRestoreAndThePullRequest(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		change func(*world)
		effect string // the last that Restore says
		open   bool   // it was, so a word is left why it isn't any more
		notes  []string
	}{
		{"open", func(*world) {}, "Close pull request " + repo + "#1 and delete its branch " + branch, true, nil},
		{"closed unmerged", func(w *world) { w.github.ClosePull(repo, 1, "ann") }, "Delete the branch " + branch + " of " + repo, false, nil},
		{
			"merged", func(w *world) {
				if err := w.github.Merge(repo, 1, "ann"); err != nil {
					w.Fatal(err)
				}
			}, "Not undone: pull request " + repo + "#1 was merged by ann, so Terraform deletes the user at its next apply unless that is reverted (https://github.com/" + repo + "/pull/1)", false,
			[]string{"Pull request " + repo + "#1 was merged by ann: revert it, or Terraform deletes " + leaver + " at its next apply. https://github.com/" + repo + "/pull/1"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, terraformMode)
			before := w.user(leaver)
			walk := w.walk()
			w.until(walk, "merge")
			test.change(w)
			plan, err := walk.UndoPlan(t.Context())
			if err != nil || plan[len(plan)-1] != test.effect {
				t.Errorf("it will %q, %v; want %q", plan, err, test.effect)
			}
			asked := 0
			walk.MayAct = w.counting(&asked)
			if err := walk.Undo(t.Context()); err != nil {
				t.Fatal(err)
			}
			w.same(before)
			pull := w.firstPull()
			if left := slices.Contains(w.github.Branches(repo), branch); pull.State != "closed" || left == (test.name != "merged") {
				t.Errorf("the pull request is %s, its branch there: %v", pull.State, left)
			}
			if said := len(pull.Comments) == 1 && strings.Contains(pull.Comments[0].Body, request); said != test.open {
				t.Errorf("comments %v", pull.Comments)
			}
			if (asked > 0) != (test.name != "merged") {
				t.Errorf("asked %d times before a change at GitHub", asked)
			}
			report, _ := walk.Report()
			if diff := cmp.Diff(test.notes, report.Notes); diff != "" || !report.OK() {
				t.Errorf("report %+v; notes (-want +got):\n%s", report, diff)
			}
			w.done()
		})
	}
	t.Run("and another commit has removed the user", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, terraformMode)
		before := w.user(leaver)
		walk := w.walk()
		w.until(walk, "merge")
		sha := w.github.Commit(repo, "master", map[string]string{usersFile: usersAfter, membersFile: membersAfter}, "Remove leavers")
		w.github.ClosePull(repo, 1, "ann")
		w.until(walk, "empty")
		want := "Not undone: " + repo + " no longer defines the user as of commit " + sha[:7] + ", so Terraform deletes the user at its next apply unless the block is put back"
		if plan, err := walk.UndoPlan(t.Context()); err != nil || plan[len(plan)-1] != want {
			t.Errorf("it will %q, %v; want %q", plan, err, want)
		}
		if err := walk.Undo(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.same(before)
		report, _ := walk.Report()
		if notes := []string{repo + " no longer defines " + leaver + " as of commit " + sha[:7] + ": put the block back, or Terraform deletes the user at its next apply."}; !cmp.Equal(notes, report.Notes) {
			t.Errorf("notes %q, want %q", report.Notes, notes)
		}
		w.done()
	})
	t.Run("and GitHub is away for a while", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, terraformMode)
		before := w.user(leaver)
		walk := w.walk()
		w.until(walk, "merge")
		w.github.Fail("PATCH /repos/*/*/pulls", githubtest.Fault{Status: 403})
		w.refused(walk.Undo(t.Context()), ops.Unavailable, "403")
		w.same(before) // the access is back all the same
		w.github.ClearFaults()
		if err := walk.Undo(t.Context()); err != nil {
			t.Fatal(err)
		}
		if pull := w.firstPull(); pull.State != "closed" || len(pull.Comments) != 1 {
			t.Errorf("pull request %+v", pull)
		}
		w.done()
	})
}

// What can't be taken back ends the offer to restore; everything before doesn't.
func TestIrreversible(t *testing.T) {
	t.Parallel()
	card := settings(iamMode).Operation(nil, nil, "")
	for call, want := range map[string]bool{
		"AttachUserPolicy": false, "UpdateAccessKey": false, "TagUser": false, "UntagUser": false, "PutUserPermissionsBoundary": false,
		"DeleteUser": true, "DeleteAccessKey": true, "DeleteLoginProfile": true, "DeleteUserPolicy": true, "DeleteVirtualMFADevice": true,
		"DeleteUserPermissionsBoundary": true, "DeactivateMFADevice": true, "RemoveUserFromGroup": true, "SomethingNew": true,
	} {
		if got := card.Irreversible(ops.Call{Service: "iam", Action: call, Target: "UserName=" + leaver}); got != want {
			t.Errorf("%s: %v", call, got)
		}
	}
	for policy, want := range map[string]bool{awstest.AWSDenyAll: false, awstest.AWSDenyAll + "Not": true, "arn:aws:iam::aws:policy/ReadOnlyAccess": true} {
		if got := card.Irreversible(ops.Call{Service: "iam", Action: "DetachUserPolicy", Target: "PolicyArn=" + policy + ", UserName=" + leaver}); got != want {
			t.Errorf("detach %s: %v", policy, got)
		}
	}
}
