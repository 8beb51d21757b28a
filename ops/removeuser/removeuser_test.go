package removeuser_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/awstest"
)

const iamMode, terraformMode = "iam", "terraform"

var modes = []string{iamMode, terraformMode}

// diffUsers tells in which details two users differ.
func diffUsers(was, is awstest.IAMUser) string { return cmp.Diff(was, is) }

func TestPlanNamesEverythingThatGoes(t *testing.T) {
	t.Parallel()
	for _, mode := range modes {
		t.Run(mode, func(t *testing.T) {
			w := newWorld(t, mode)
			before := w.user(leaver)
			plan := w.look(w.walk())
			active, inactive := before.AccessKeys[0].ID, before.AccessKeys[1].ID
			if before.AccessKeys[0].Inactive {
				active, inactive = inactive, active
			}
			want := []string{
				"Attach " + awstest.AWSDenyAll + " to IAM user " + leaver + " (" + before.ID + ")",
				"Deactivate access key " + active,
				"Tag IAM user " + leaver + " with removal-request, quarantined-at, quarantined-keys",
			}
			steps := []string{"quarantine", "grace", "delete", "check"}
			if mode == terraformMode {
				want = append(want, "Open a pull request to "+repo+" (master) that removes "+leaver+" from "+usersFile+" and "+membersFile)
				steps = []string{"quarantine", "grace", "propose", "merge", "empty", "check"}
			}
			want = append(want, "Delete the password of "+leaver)
			for _, k := range before.AccessKeys {
				want = append(want, "Delete access key "+k.ID)
			}
			for _, c := range before.Credentials {
				want = append(want, "Delete service-specific credential "+c.ID+" ("+c.Service+")")
			}
			want = append(want, "Delete SSH public key "+before.SSHKeys[0].ID, "Delete signing certificate "+before.Certificates[0].ID)
			for _, d := range before.MFA {
				want = append(want, "Deactivate MFA device "+d.Serial)
				if strings.Contains(d.Serial, ":mfa/") {
					want = append(want, "Delete virtual MFA device "+d.Serial)
				}
			}
			want = append(want, "Delete inline policy own", "Remove "+leaver+" from group CrossAccountAccess", "Remove "+leaver+" from group payments",
				"Detach policy "+before.Attached[0], "Detach policy "+before.Attached[1], "Delete permissions boundary "+before.Boundary,
				"Detach policy "+awstest.AWSDenyAll, "Delete IAM user "+leaver+" ("+before.ID+")")
			if diff := cmp.Diff(want, plan.Effects()); diff != "" {
				t.Errorf("effects (-want +got):\n%s", diff)
			}
			var got []string
			for _, s := range plan.Steps {
				got = append(got, s.Do)
			}
			if diff := cmp.Diff(steps, got); diff != "" {
				t.Errorf("steps (-want +got):\n%s", diff)
			}
			if want := "Take all access from IAM user " + leaver + " (" + before.ID + ") now, and remove the user 7 days later unless Restore is pressed."; plan.Summary != want {
				t.Errorf("summary %q, want %q", plan.Summary, want)
			}
			if plan.Target != leaver {
				t.Errorf("target %q", plan.Target)
			}
			if again := w.look(w.walk()); !slices.Equal(again.Effects(), plan.Effects()) {
				t.Error("the same look at the same world has other effects")
			}
			w.same(before)
			w.done()
		})
	}
}

func TestQuarantineAndRestore(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		before func(*awstest.IAMUser)
	}{
		{"with one key active and one not", func(*awstest.IAMUser) {}},
		{"with both keys active", func(u *awstest.IAMUser) { u.AccessKeys[0].Inactive, u.AccessKeys[1].Inactive = false, false }},
		{"with both keys inactive", func(u *awstest.IAMUser) { u.AccessKeys[0].Inactive, u.AccessKeys[1].Inactive = true, true }},
		{"without keys or a password", func(u *awstest.IAMUser) { u.AccessKeys, u.Login = nil, nil }},
		{"without tags", func(u *awstest.IAMUser) { u.Tags = nil }},
		{"with deny-all attached before", func(u *awstest.IAMUser) { u.Attached = append(u.Attached, awstest.AWSDenyAll) }},
		{"with both of the tags there before", func(u *awstest.IAMUser) {
			u.Tags["removal-request"], u.Tags["quarantined-at"] = "0198ffff-0000-7000-8000-000000000000", "2024-02-29T12:00:00Z"
		}},
		{"with all of the tags there before, but not quarantined", func(u *awstest.IAMUser) {
			u.Tags["removal-request"], u.Tags["quarantined-at"], u.Tags["quarantined-keys"] = "0198ffff-0000-7000-8000-000000000000", "2024-02-29T12:00:00Z", "AKIA0"
		}},
		{"with one of the tags there before", func(u *awstest.IAMUser) { u.Tags["quarantined-at"] = "once" }},
		{"with the tags there before, and empty", func(u *awstest.IAMUser) { u.Tags["removal-request"], u.Tags["quarantined-at"] = "", "" }},
		{"with the tags there before, in another case", func(u *awstest.IAMUser) { u.Tags["Removal-Request"] = "old" }},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, iamMode)
			w.iam.ChangeUser(leaver, test.before)
			before := w.user(leaver)
			walk := w.walk()
			w.quarantined(walk)
			if !w.iam.Powerless(leaver) {
				t.Errorf("the user isn't powerless: %+v", w.user(leaver))
			}
			if first := w.writes()[0]; first != "iam:AttachUserPolicy" && !slices.Contains(before.Attached, awstest.AWSDenyAll) {
				t.Errorf("the first write is %s: %v", first, w.writes())
			}
			now := w.user(leaver)
			at, err := time.Parse(time.RFC3339, now.Tags["quarantined-at"])
			if now.Tags["removal-request"] != request || err != nil || w.clock.Now().Sub(at) > 8*24*time.Hour {
				t.Errorf("tags %v", now.Tags)
			}
			if err := walk.Undo(t.Context()); err != nil {
				t.Fatal(err)
			}
			w.same(before)
			if report, ok := walk.Report(); !ok || !report.OK() || report.Summary != leaver+" is as before the quarantine." {
				t.Errorf("report %+v", report)
			}
			if last := w.writes()[len(w.writes())-1]; !slices.Contains(before.Attached, awstest.AWSDenyAll) && last != "iam:DetachUserPolicy" {
				t.Errorf("the last write is %s: %v", last, w.writes())
			}
			w.done()
		})
	}
}

// What the quarantine itself takes away is read back before it is told.
func TestQuarantineIsTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t, iamMode)
	w.aws.Trail("eu-west-2").Add(
		awstest.TrailEvent{Account: account, Username: leaver, RoleARN: "arn:aws:iam::333333333333:role/Admin", Time: w.clock.Now().Add(-2 * time.Hour)},
		awstest.TrailEvent{Account: account, Username: leaver, RoleARN: "arn:aws:iam::444444444444:role/Old", Time: w.clock.Now().Add(-20 * time.Hour)},
	)
	walk := w.walk()
	w.until(walk, "grace")
	at := w.clock.Now().UTC()
	w.quarantined(walk)
	told := text(walk.Lines())
	for _, want := range []string{
		"change Attached " + awstest.AWSDenyAll + " to IAM user " + leaver + ".",
		"change Deactivated access key AKIA",
		"warning " + leaver + " can't do anything in account gds-users (" + account + ") any more.",
		"that session may last until " + at.Add(12*time.Hour).Format("2 Jan 15:04") + " UTC, unless it renews itself by assuming roles in turn, and only that account can end it.",
		"for the 12 hours before: Admin in account 333333333333.",
		leaver + " has been locked out since " + at.Format("2 Jan 15:04") + " UTC. Wrong person? Press Restore by " + at.Add(7*24*time.Hour).Format("2 Jan 15:04") + " UTC and everything is as before.",
	} {
		if !strings.Contains(told, want) {
			t.Errorf("no %q in\n%s", want, told)
		}
	}
	if strings.Contains(told, "Old") || strings.Contains(told, "Reminder") {
		t.Errorf("told too much:\n%s", told)
	}
	if waits := walk.Waits(); len(waits) == 0 || !strings.Contains(told, waits[0].For) || waits[0].Until.Sub(at).Round(time.Minute) != 7*24*time.Hour || waits[0].Person {
		t.Errorf("waits for %+v", waits)
	}
	if offered := walk.Offered().Sub(at); offered < 7*24*time.Hour-time.Minute || offered > 7*24*time.Hour {
		t.Errorf("it can be taken back for %v", offered)
	}
	w.done()
}

func TestGrace(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	for _, test := range []struct {
		name     string
		grace    time.Duration
		reminder bool
		summary  string
	}{
		{"none", 0, false, "now, and remove the user."},
		{"of an hour", time.Hour, false, "remove the user 1 hour later unless Restore is pressed."},
		{"of two days", 2 * day, false, "remove the user 2 days later unless Restore is pressed."},
		{"of three days, with a reminder the day before", 3 * day, true, "remove the user 3 days later unless Restore is pressed."},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, iamMode)
			w.settings.Grace = test.grace
			walk := w.walk()
			began := w.clock.Now()
			report := w.run(walk)
			if passed := w.clock.Now().Sub(began); !report.OK() || passed < test.grace || passed > test.grace+time.Minute {
				t.Errorf("removed after %v: %+v", passed, report)
			}
			told := text(walk.Lines())
			want := "warning Reminder: " + leaver + " will be removed at " + began.Add(test.grace).UTC().Format("2 Jan 15:04") + " UTC; that can't be undone."
			if strings.Contains(told, want) != test.reminder {
				t.Errorf("the reminder is told: %v\n%s", !test.reminder, told)
			}
			if summary := walk.Plan().Summary; !strings.HasSuffix(summary, test.summary) {
				t.Errorf("summary %q", summary)
			}
			for _, line := range walk.Lines() {
				if line.Key == "reminder" && line.At.Sub(began) < test.grace-day-time.Minute {
					t.Errorf("reminded after %v", line.At.Sub(began))
				}
			}
			w.done()
		})
	}
}

func TestRemoval(t *testing.T) {
	t.Parallel()
	for _, mode := range modes {
		for _, page := range []int{0, 1} {
			t.Run(mode+map[int]string{0: "", 1: ", with one thing on a page"}[page], func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, mode)
				w.aws.SetPageSize(page)
				before := w.user(leaver)
				walk := w.walk()
				report := w.run(walk)
				if _, ok := w.iam.User(leaver); ok {
					t.Error("the user is still there")
				}
				for _, serial := range w.iam.VirtualDevices() {
					if strings.HasSuffix(serial, leaver) {
						t.Errorf("the virtual device %s is left", serial)
					}
				}
				want := []string{
					leaver + ": IAM user (" + before.ID + ") is gone (confirmed)",
					"What " + leaver + " had: groups: CrossAccountAccess, payments",
					"What " + leaver + " had: attached policies: " + strings.Join(before.Attached, ", "),
					"What " + leaver + " had: inline policies: own",
					"What " + leaver + " had: permissions boundary: " + before.Boundary,
					"What " + leaver + " had: tags: Owner=ann.other@softwire.com, team=payments",
				}
				if diff := cmp.Diff(want, truth(report)); diff != "" {
					t.Errorf("report (-want +got):\n%s", diff)
				}
				if report.Summary != leaver+" is removed." || len(report.Notes) != 1 || !strings.Contains(report.Notes[0], "can't be undone") {
					t.Errorf("summary %q, notes %q", report.Summary, report.Notes)
				}
				if w.applied != nil {
					t.Errorf("Terraform's apply failed: %v", w.applied)
				}
				if mode == iamMode && w.github.Count("") > 0 {
					t.Errorf("%d calls of GitHub", w.github.Count(""))
				}
				w.order()
				w.done()
			})
		}
	}
}

// order checks that credentials go first, that deny-all is detached after
// everything else that gives power, and the user goes last of all.
func (w *world) order() {
	w.Helper()
	var got []string
	for _, c := range w.aws.Calls() {
		name := c.Action
		if strings.Contains(string(c.Params), awstest.AWSDenyAll) {
			name += " deny-all"
		}
		if changes(c) && c.ErrorCode == "" && (len(got) == 0 || got[len(got)-1] != name) {
			got = append(got, name)
		}
	}
	want := []string{
		"AttachUserPolicy deny-all", "UpdateAccessKey", "TagUser",
		"DeleteLoginProfile", "DeleteAccessKey", "DeleteServiceSpecificCredential", "DeleteSSHPublicKey", "DeleteSigningCertificate",
		"DeactivateMFADevice", "DeleteVirtualMFADevice", "DeleteUserPolicy", "RemoveUserFromGroup", "DetachUserPolicy",
		"DeleteUserPermissionsBoundary", "DetachUserPolicy deny-all",
	}
	if w.settings.Users == iamMode {
		want = append(want, "DeleteUser")
	}
	// Devices come in the order of their serial numbers, and only the virtual one is deleted as well.
	if last := slices.Index(got, "DeleteVirtualMFADevice"); last > 0 && got[last+1] == "DeactivateMFADevice" {
		got = slices.Delete(got, last+1, last+2)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		w.Errorf("order (-want +got):\n%s", diff)
	}
}

func TestCard(t *testing.T) {
	t.Parallel()
	w := newWorld(t, iamMode)
	card := w.operation()
	if err := ops.Validate([]ops.Operation{card}); err != nil {
		t.Error(err)
	}
	if card.Approval.Count != 1 || card.Split != "emails" || card.Undo != "restore" || card.Again != "Quarantine again" || card.Subject(w.walk().Request) != leaver {
		t.Errorf("approval %v, split %q, undo %q", card.Approval, card.Split, card.Undo)
	}
	one, other := w.walkFor(leaver).Request, w.walkFor(namesake).Request
	if card.Lock(one) == card.Lock(other) || card.Lock(one) == "" {
		t.Errorf("locks %q and %q", card.Lock(one), card.Lock(other))
	}
	inputs, wrong := card.Fill(ops.Inputs{"emails": {leaver, leaver}})
	keys := slices.Sorted(maps.Keys(wrong))
	if diff := cmp.Diff([]string{"confirmed", "emails", "reason"}, keys); diff != "" {
		t.Errorf("faults of a form with one address twice and nothing else: %v, %v", wrong, inputs)
	}
	// The card is read where nothing can be reached.
	if bare := settings(terraformMode).Operation(nil, nil, ""); bare.Access != card.Access {
		t.Error("the card without clients is another one")
	}
}
