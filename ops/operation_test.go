package ops_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/aws-root-account/rootbot/ops"
)

func card(change ...func(*ops.Operation)) ops.Operation {
	o := ops.Operation{
		Name: "make-tea", Command: "/make-tea", Doc: "Make tea\nFor everybody.",
		Plan: func(context.Context, ops.Request, ops.Progress) (ops.Plan, error) { return ops.Plan{}, nil },
		Do:   map[string]func(context.Context, ops.Run) error{"boil": func(context.Context, ops.Run) error { return nil }},
	}
	for _, f := range change {
		f(&o)
	}
	return o
}

func TestValidate(t *testing.T) {
	with := func(change func(*ops.Operation)) []ops.Operation { return []ops.Operation{card(change)} }
	form := func(fields ...ops.Field) []ops.Operation {
		return with(func(o *ops.Operation) { o.Form = fields })
	}
	for _, test := range []struct {
		name  string
		cards []ops.Operation
		want  string // in the error; empty: none
	}{
		{"no operation", nil, ""},
		{"a good card", []ops.Operation{card()}, ""},
		{"two good cards", []ops.Operation{card(), card(func(o *ops.Operation) { o.Name, o.Command = "b", "/b" })}, ""},
		{"no name", with(func(o *ops.Operation) { o.Name = "" }), "lower-case words joined by hyphens"},
		{"a name in capitals", with(func(o *ops.Operation) { o.Name = "Tea" }), `operation "Tea"`},
		{"a name that ends in a hyphen", with(func(o *ops.Operation) { o.Name = "tea-" }), "lower-case words"},
		{"a name with an underscore", with(func(o *ops.Operation) { o.Name = "make_tea" }), "lower-case words"},
		{"a command without a slash", with(func(o *ops.Operation) { o.Command = "make-tea" }), "can't be a slash command"},
		{"a command in capitals", with(func(o *ops.Operation) { o.Command = "/Tea" }), "can't be a slash command"},
		{"a command with a space", with(func(o *ops.Operation) { o.Command = "/make tea" }), "can't be a slash command"},
		{"a command of 32 characters", with(func(o *ops.Operation) { o.Command = "/" + strings.Repeat("a", 31) }), ""},
		{"a command of 33 characters", with(func(o *ops.Operation) { o.Command = "/" + strings.Repeat("a", 32) }), "can't be a slash command"},
		{"a name that is taken", []ops.Operation{card(), card(func(o *ops.Operation) { o.Command = "/b" })}, "is taken"},
		{"a command that is taken", []ops.Operation{card(), card(func(o *ops.Operation) { o.Name = "b" })}, "is taken"},
		{"no Doc", with(func(o *ops.Operation) { o.Doc = "" }), "no Doc"},
		{"a Doc without a title", with(func(o *ops.Operation) { o.Doc = "\nonly more" }), "no Doc"},
		{"no Plan", with(func(o *ops.Operation) { o.Plan = nil }), "no Plan"},
		{"no Do", with(func(o *ops.Operation) { o.Do = nil }), "no Do"},
		{"a good form", form(ops.Field{Name: "a", Label: "A"}, ops.Field{Name: "b", Label: "B"}), ""},
		{"a field without a name", form(ops.Field{Label: "A"}), "needs a name of its own and a label"},
		{"a field without a label", form(ops.Field{Name: "a"}), `field "a" needs`},
		{"two fields of one name", form(ops.Field{Name: "a", Label: "A"}, ops.Field{Name: "a", Label: "B"}), `field "a" needs`},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := ops.Validate(test.cards)
			if (test.want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

func TestTitle(t *testing.T) {
	if got := card().Title(); got != "Make tea" {
		t.Errorf("title %q", got)
	}
}

func TestWordsOfACommand(t *testing.T) {
	short := func(s string) error {
		if len(s) > 3 {
			return fmt.Errorf("%q is too long.", s)
		}
		return nil
	}
	for _, test := range []struct {
		name  string
		form  []ops.Field
		words []string
		want  ops.Inputs
		fault string
	}{
		{"none", []ops.Field{{Name: "who", List: true}}, nil, ops.Inputs{}, ""},
		{"none where nothing can be asked", nil, nil, ops.Inputs{}, ""},
		{"some where nothing can be asked", nil, []string{"now"}, nil, `/make-tea takes no "now".`},
		{"some where the form has no list", []ops.Field{{Name: "reason"}}, []string{"now"}, nil, `/make-tea takes no "now".`},
		{"they fill the first list", []ops.Field{{Name: "reason"}, {Name: "who", List: true}, {Name: "more", List: true}}, []string{"a", "b"}, ops.Inputs{"who": {"a", "b"}}, ""},
		{"each once, whatever its case", []ops.Field{{Name: "who", List: true}}, []string{"Ann", "bob", "ann", "BOB", "Ann"}, ops.Inputs{"who": {"Ann", "bob"}}, ""},
		{"they are read", []ops.Field{{Name: "who", List: true, Check: short, Read: func(all []string) []string { return all[1:] }}}, []string{"hello", "ann"}, ops.Inputs{"who": {"ann"}}, ""},
		{"each is checked", []ops.Field{{Name: "who", List: true, Check: short}}, []string{"ann", "bobby"}, nil, `"bobby" is too long.`},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := card(func(o *ops.Operation) { o.Form = test.form })
			got, err := o.Words(test.words)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if test.fault == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if ops.KindOf(err) != ops.Invalid || ops.Words(err, "") != test.fault {
				t.Errorf("got %v, want %q", err, test.fault)
			}
		})
	}
}

func TestValuesOfAForm(t *testing.T) {
	o := card(func(o *ops.Operation) {
		o.Form = []ops.Field{{Name: "reason"}, {Name: "name", Retype: true}}
	})
	for _, test := range []struct {
		name          string
		reason, typed string
		want          ops.Inputs
		wrong         map[string]string
	}{
		{"as they are", "wet", "pond", ops.Inputs{"reason": {"wet"}, "name": {"pond"}}, map[string]string{}},
		{"with white space around them", " wet\n", " pond ", ops.Inputs{"reason": {"wet"}, "name": {" pond "}}, map[string]string{}},
		{"of white space alone", " ", "  ", ops.Inputs{}, map[string]string{"reason": "Please fill this in.", "name": "Please fill this in."}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, wrong := o.Fill(ops.Inputs{"reason": {test.reason}, "name": {test.typed}})
			if diff := cmp.Diff(test.want, got) + cmp.Diff(test.wrong, wrong); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestCheck(t *testing.T) {
	o := card()
	if err := o.Check(ops.Plan{Steps: []ops.Step{{Do: "boil"}, {Do: "boil"}}}); err != nil {
		t.Error(err)
	}
	if err := o.Check(ops.Plan{Steps: []ops.Step{{Do: "boil"}, {Do: "pour"}}}); err == nil || !strings.Contains(err.Error(), `"pour"`) {
		t.Errorf("got %v for a step the card can't do", err)
	}
}

func TestDigest(t *testing.T) {
	plan := func() ops.Plan {
		return ops.Plan{
			Summary: "Tea.", Facts: []ops.Fact{{Label: "a", Value: "b"}}, Warnings: []string{"hot"},
			Steps: []ops.Step{{Do: "boil", Title: "Boil", Effects: []string{"one", "two"}}}, Approval: ops.Rule{Count: 1, Why: "hot"}, Data: []byte(`{"x":1}`),
		}
	}
	if got := plan().Digest(); got != plan().Digest() || len(got) != 64 || strings.Trim(got, "0123456789abcdef") != "" {
		t.Errorf("digest %q", got)
	}
	seen := map[string]string{plan().Digest(): "the plan itself"}
	for name, change := range map[string]func(*ops.Plan){
		"another summary":        func(p *ops.Plan) { p.Summary = "Coffee." },
		"another fact":           func(p *ops.Plan) { p.Facts[0].Value = "c" },
		"no warning":             func(p *ops.Plan) { p.Warnings = nil },
		"another effect":         func(p *ops.Plan) { p.Steps[0].Effects[1] = "three" },
		"effects in other order": func(p *ops.Plan) { slices.Reverse(p.Steps[0].Effects) },
		"one effect for two":     func(p *ops.Plan) { p.Steps[0].Effects = []string{"one\",\"two"} },
		"another step":           func(p *ops.Plan) { p.Steps[0].Do = "pour" },
		"more approvals":         func(p *ops.Plan) { p.Approval.Count = 2 },
		"other data":             func(p *ops.Plan) { p.Data = []byte(`{"x":2}`) },
		"no data":                func(p *ops.Plan) { p.Data = nil },
	} {
		p := plan()
		change(&p)
		if other, ok := seen[p.Digest()]; ok {
			t.Errorf("%s has the digest of %s", name, other)
		}
		seen[p.Digest()] = name
	}
}

func TestBeyond(t *testing.T) {
	plan := func(steps ...[]string) ops.Plan {
		var p ops.Plan
		for _, effects := range steps {
			p.Steps = append(p.Steps, ops.Step{Do: "boil", Effects: effects})
		}
		return p
	}
	for _, test := range []struct {
		name       string
		now, shown ops.Plan
		want       []string
	}{
		{"the same", plan([]string{"a", "b"}), plan([]string{"a", "b"}), nil},
		{"fewer, because part is done", plan([]string{"b"}), plan([]string{"a", "b"}), nil},
		{"the same in other steps", plan([]string{"b"}, []string{"a"}), plan([]string{"a", "b"}), nil},
		{"new ones, in order", plan([]string{"c", "a"}, []string{"d"}), plan([]string{"a", "b"}), []string{"c", "d"}},
		{"nothing was shown", plan([]string{"a"}), ops.Plan{}, []string{"a"}},
		{"nothing is left", ops.Plan{}, plan([]string{"a"}), nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			shown := test.now.Effects()
			if got := test.now.Beyond(test.shown); !slices.Equal(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
			if !slices.Equal(shown, test.now.Effects()) {
				t.Error("asking changed the plan")
			}
		})
	}
}

func TestErrorsInWords(t *testing.T) {
	cause := errors.New("secret detail")
	for _, test := range []struct {
		name  string
		err   error
		kind  ops.Kind
		words string
	}{
		{"what and next", &ops.Error{Kind: ops.Refused, What: "No.", Next: "Ask."}, ops.Refused, "No. Ask."},
		{"what alone", &ops.Error{Kind: ops.Busy, What: "No."}, ops.Busy, "No."},
		{"the cause stays hidden", &ops.Error{Kind: ops.Unavailable, What: "No.", Err: cause}, ops.Unavailable, "No."},
		{"wrapped", fmt.Errorf("plan: %w", &ops.Error{Kind: ops.Invalid, What: "No.", Err: cause}), ops.Invalid, "No."},
		{"joined", errors.Join(cause, &ops.Error{Kind: ops.Unknown, What: "Who knows."}), ops.Unknown, "Who knows."},
		{"a fault of the program", cause, ops.Internal, "Internal error (request 1d2c3e4f). The bot's own log says more under that number."},
		{"a fault of the program in words", &ops.Error{What: "secret"}, ops.Internal, "Internal error (request 1d2c3e4f). The bot's own log says more under that number."},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := ops.KindOf(test.err); got != test.kind {
				t.Errorf("kind %v, want %v", got, test.kind)
			}
			if got := ops.Words(test.err, "0199a3c2-7d51-7c0a-9f3e-5b6f1d2c3e4f"); got != test.words {
				t.Errorf("words %q, want %q", got, test.words)
			}
		})
	}
	err := &ops.Error{Kind: ops.Unavailable, What: "No.", Err: cause}
	if !errors.Is(err, cause) || err.Error() != "No. (secret detail)" {
		t.Errorf("for the operator: %v", err)
	}
}

func TestShort(t *testing.T) {
	for id, want := range map[string]string{"": "", "1234": "1234", "12345678": "12345678", "0199a3c2-7d51-7c0a-9f3e-5b6f1d2c3e4f": "1d2c3e4f"} {
		if got := ops.Short(id); got != want {
			t.Errorf("Short(%q) = %q, want %q", id, got, want)
		}
	}
}

func TestReport(t *testing.T) {
	outcome := func(states ...ops.Truth) (r ops.Report) {
		for _, s := range states {
			r.Sections = append(r.Sections, ops.Section{Outcomes: []ops.Outcome{{State: s}}})
		}
		return r
	}
	for _, test := range []struct {
		name   string
		report ops.Report
		ok     bool
	}{
		{"nothing happened", ops.Report{}, true},
		{"all confirmed", outcome(ops.Confirmed, ops.Confirmed), true},
		{"plain facts", outcome(""), true},
		{"something isn't there", outcome(ops.Confirmed, ops.Missing), false},
		{"something failed", outcome(ops.Failed, ops.Confirmed), false},
		{"a problem", ops.Report{Problems: []string{"it crashed"}}, false},
		{"a note", ops.Report{Notes: []string{"it rained"}}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := test.report.OK(); got != test.ok {
				t.Errorf("got %v, want %v", got, test.ok)
			}
		})
	}
	if n := outcome(ops.Missing, ops.Confirmed, ops.Missing).Count(ops.Missing); n != 2 {
		t.Errorf("counted %d", n)
	}
}

func TestAgain(t *testing.T) {
	again, ok := errors.AsType[*ops.AgainError](fmt.Errorf("wait: %w", ops.Again(5)))
	if !ok || again.After != 5 {
		t.Errorf("got %v", again)
	}
}
