package bot_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"

	"github.com/aws-root-account/rootbot/bot"
	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/bot/store/storetest"
	"github.com/aws-root-account/rootbot/ops"
)

// written tells whether a text stands in the database's file, in any table, or
// in what is still to be moved there.
func (h *house) written(text string) bool {
	h.t.Helper()
	storetest.OnlyOn(h.t, storetest.SQLite)
	for _, suffix := range []string{"", "-wal"} {
		content, err := os.ReadFile(strings.TrimPrefix(h.address, "sqlite:") + suffix)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			h.t.Fatal(err)
		}
		if bytes.Contains(content, []byte(text)) {
			return true
		}
	}
	return false
}

// hides checks that what must not be kept isn't, neither while the desk is at
// work nor once it is closed; then it is.
func (h *house) hides(t *testing.T, what string, secrets ...string) {
	t.Helper()
	look := func(when string) {
		if !h.written("process-started") {
			t.Fatal("nothing is where it is looked for")
		}
		for _, secret := range secrets {
			if h.written(secret) {
				t.Errorf("%s is in the database %s: %.6s…", what, when, secret)
			}
		}
	}
	look("while the desk is at work")
	h.end()
	look("afterwards")
}

// pasted are what people paste where it doesn't belong, put together here so
// that no scanner takes them for real ones: a text, and the part that is secret.
func pasted() (texts, secrets []string) {
	add := func(text, secret string) { texts, secrets = append(texts, text), append(secrets, secret) }
	for _, whole := range []string{
		"xoxb-" + "210987654321-AbCdEfGhIjKlMnOpQrStUvWx",
		"ghp_" + "9876543210zyxwvutsrqZYXWVUTSRQ543210",
		"AKIA" + "IOSFODNN7TYPEDIN",
		"eyJ" + "hbGciOiJIUzI1NiJ9.eyJzdWIiOiJ0eXBlZCJ9.dHlwZWQtaW4",
	} {
		add(whole, whole)
	}
	add("the login is password=tr0ub4dor-typed, sorry", "tr0ub4dor-typed")
	add("postgres://rootbot:hunter2typed@db.example/rootbot", "hunter2typed")
	add("Authorization: Bearer bGV0bWVpbi10eXBlZA", "bGV0bWVpbi10eXBlZA")
	add("-----BEGIN RSA "+"PRIVATE KEY-----\nMIIEtypedINkeyMATERIAL\n-----END RSA "+"PRIVATE KEY-----", "MIIEtypedINkeyMATERIAL")
	add("-----BEGIN "+"PRIVATE KEY-----\nMIIEhalfOFtypedMATERIAL", "MIIEhalfOFtypedMATERIAL") // last: its end is the text's
	return texts, secrets
}

func TestASecretThatSomebodyTypesIsKeptNowhere(t *testing.T) {
	t.Parallel()
	operation := tidy(func(ctx context.Context, run ops.Run) error {
		people := strings.Join(run.Request().Inputs["people"], " ")
		if err := run.Remember(ctx, "people", people); err != nil {
			return err
		}
		if err := run.Log(ctx, ops.Line{Text: "tidied up for " + people}); err != nil {
			return err
		}
		return run.Report(ctx, ops.Report{Summary: "tidied up for " + people})
	})
	operation.Plan = func(_ context.Context, r ops.Request, _ ops.Progress) (ops.Plan, error) {
		plan := *planOf(1)
		plan.Summary = "tidy up for " + strings.Join(r.Inputs["people"], " ")
		return plan, nil
	}
	h := build(t)
	h.stand(noon)
	h.terms = map[string]request.Terms{"tidy-up": demands(1)}
	h.settle = func(d *bot.Desk) { d.BreakGlass = []string{"hubot"} }
	h.begin(operation)

	texts, secrets := pasted()
	all := "mind the step. " + strings.Join(texts, " ")
	ask := func() request.Request {
		return h.reach(h.asking(bot.Asking{Operation: "tidy-up", Asker: by("U1"), Inputs: ops.Inputs{"people": append([]string{"mind the gap"}, texts...)}}).ID, request.Waiting)
	}
	run := ask()
	h.answer(h.clicked(request.Click{Request: run.ID, Verb: request.BreakGlass, Asker: by("U4"), Digest: run.Digest(), Text: all})) // may not
	h.press("U2", request.BreakGlass, run, all)
	if run = h.ended(run.ID); run.State != request.Succeeded || !strings.Contains(run.Glass.Reason, "mind the step") {
		t.Fatalf("it ended as %s: %+v", run.State, run.Glass)
	}
	h.press("U4", request.Reviewed, run, all)
	rejected := ask()
	h.press("U2", request.Reject, rejected, all)
	h.press("U4", request.Reject, rejected, all) // too late
	for _, text := range texts {
		h.press("U4", request.Approve, rejected, text) // as the name of what is to be approved
	}
	h.ended(rejected.ID)
	h.ended(h.asking(bot.Asking{Operation: "tidy-up", Asker: by("U3"), Inputs: ops.Inputs{"people": texts}}).ID) // turned away
	if err := h.Refuse(t.Context(), by("U3"), all, all); err != nil {
		t.Error(err)
	}
	if err := h.Called(t.Context(), run.For(), ops.Call{Service: "iam", Action: "DeleteUser", Target: all, Outcome: "failed", Fault: all}); err != nil {
		t.Error(err)
	}
	for _, kept := range []string{"mind the gap", "mind the step"} {
		if !h.written(kept) {
			t.Errorf("%q isn't where it is looked for", kept)
		}
	}
	h.hides(t, "a secret", secrets...)
}

func TestANameThatLooksLikeASecretIsComparedAsItWasTyped(t *testing.T) {
	t.Parallel()
	const name, redacted = "Token: hmpps2024", "Token: [redacted]"
	for _, test := range []struct {
		name  string
		knows bool // the operation knows the name when the form is sent
		typed string
		state request.State
		kept  string
	}{
		{"one that matches", false, name, request.Waiting, name},
		{"one that matches, and is known at once", true, name, request.Waiting, name},
		{"one that doesn't match, as the plan finds", false, "Token: hmpps2025", request.Refused, redacted},
		{"one that doesn't match, as is known at once", true, "Token: hmpps2025", request.Refused, redacted},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			operation := tidy(nothing)
			operation.Form = append(operation.Form, ops.Field{Name: "name", Label: "Name", Retype: true}, ops.Field{Name: "reason", Label: "Reason"})
			operation.Match = func(inputs ops.Inputs) map[string]string {
				if test.knows && inputs["name"][0] != name {
					return map[string]string{"name": "That is another name."}
				}
				return nil
			}
			operation.Plan = func(_ context.Context, r ops.Request, _ ops.Progress) (ops.Plan, error) {
				if r.Inputs["name"][0] != name {
					return ops.Plan{}, &ops.Error{Kind: ops.Invalid, What: "That is another name."}
				}
				return *planOf(1), nil
			}
			h := build(t)
			h.terms = map[string]request.Terms{"tidy-up": demands(1)}
			h.begin(operation)
			r := h.reach(h.asking(bot.Asking{Operation: "tidy-up", Asker: by("U1"), Inputs: ops.Inputs{"name": {test.typed}, "reason": {name}}}).ID, test.state)
			same(t, "the inputs", ops.Inputs{"name": {test.kept}, "reason": {redacted}}, r.Inputs)
			asked := h.last(r.ID, "asked")
			same(t, "the record", any(map[string]any{"name": []any{redacted}, "reason": []any{redacted}}), asked.Data["inputs"])
		})
	}
}
