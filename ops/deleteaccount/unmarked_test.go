package deleteaccount_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/awstest"
	"github.com/aws-root-account/rootbot/ops/opstest"
)

// crowd has an account have so many tags.
func (w *world) crowd(tags int) {
	w.o.ChangeAccount(sinking, func(a *awstest.OrgAccount) {
		for n := len(a.Tags); n < tags; n++ {
			a.Tags[fmt.Sprintf("tag-%d", n)] = "x"
		}
	})
}

// untaggable are accounts that AWS doesn't let be tagged.
var untaggable = []struct {
	name    string
	arrange func(*world)
	foreseen,
	told string // empty: it is tagged
}{
	{"fifty tags", func(w *world) { w.crowd(50) }, "It has 50 of the 50 tags that AWS allows an account, so there is no room for closure-request and closure-from. It is disabled all the same", "You have exceeded the number of tags allowed"},
	{"forty-nine tags", func(w *world) { w.crowd(49) }, "It has 49 of the 50 tags that AWS allows an account, so there is no room for closure-from.", ""},
	{"forty-eight tags", func(w *world) { w.crowd(48) }, "", ""},
	{"a tag policy", func(w *world) { w.aws.Fail("organizations:TagResource", constraint("TAG_POLICY_VIOLATION")) }, "", "The text may say anything."},
	{"a tag policy, by its other name", func(w *world) {
		w.aws.Fail("organizations:TagResource", awstest.Fault{Code: "TagPolicyViolation", Message: "The tag policy does not allow the specified value"})
	}, "", "The tag policy does not allow the specified value"},
	{"no permission", func(w *world) {
		w.aws.Fail("organizations:TagResource", awstest.Fault{Code: "AccessDeniedException"})
	}, "", "AWS refused organizations:TagResource"},
	{"trouble without an end", func(w *world) {
		w.aws.Fail("organizations:TagResource", awstest.Fault{Code: "ServiceException", Status: 400})
	}, "", "AWS answered organizations:TagResource with ServiceException"},
}

// An account that can't be tagged is disabled and closed, and told by the run's memory.
func TestAnAccountThatCannotBeTaggedIsDisabled(t *testing.T) {
	t.Parallel()
	for _, test := range untaggable {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.settings.Grace = 2 * day
			test.arrange(w)
			walk := w.walk()
			shown := w.look(walk)
			if warned(shown, "tags that AWS allows") != (test.foreseen != "") || test.foreseen != "" && !warned(shown, test.foreseen) {
				t.Errorf("warnings %q", shown.Warnings)
			}
			w.record = w.asking(walk, shown) // the plan is made anew before each change
			walk.Restart()
			w.graced(walk)
			if a := w.account(sinking); a.Parent != w.disabled || (a.Tags["closure-request"] == request) != (test.told == "") {
				t.Errorf("account %+v", a)
			}
			if report := w.run(walk); !report.OK() || w.account(sinking).Parent != w.closed {
				t.Errorf("report %+v", report)
			}
			said := "Account " + sinkingText + " can't be tagged with closure-request. "
			if told := text(walk.Lines()); strings.Contains(told, said) != (test.told != "") || !strings.Contains(told, test.told) || strings.Contains(told, "change Tagged") == (test.told != "") {
				t.Errorf("told %s", told)
			}
		})
	}
}

// An account that can't be tagged is restored unless others have acted on it.
func TestAnAccountThatCannotBeTaggedIsRestored(t *testing.T) {
	t.Parallel()
	start := func(t *testing.T) (*world, *opstest.Walk, awstest.OrgAccount) {
		t.Parallel()
		w := newWorld(t)
		w.crowd(50)
		before := w.account(sinking)
		walk := w.walk()
		w.graced(walk)
		return w, walk, before
	}
	t.Run("from where the run has put it", func(t *testing.T) {
		w, walk, before := start(t)
		if err := walk.Undo(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.same(before)
		w.done()
	})
	t.Run("but not when it bears another request's tag", func(t *testing.T) {
		w, walk, _ := start(t)
		w.o.ChangeAccount(sinking, func(a *awstest.OrgAccount) { a.Tags["closure-request"] = otherRequest; delete(a.Tags, "tag-9") })
		w.refused(walk.Run(t.Context()), ops.Lifted, "it names another request, "+otherRequest)
		w.refused(walk.Undo(t.Context()), ops.Refused, "belongs to another request since")
		w.done()
	})
	t.Run("and what people moved stops the run", func(t *testing.T) {
		w, walk, _ := start(t)
		w.o.Move(sinking, w.ponds)
		w.refused(walk.Run(t.Context()), ops.Lifted, "was moved back by hand")
		w.crowd(0)
		w.look(walk)
		w.graced(walk)
		if a := w.account(sinking); a.Parent != w.disabled {
			t.Errorf("account %+v", a)
		}
		w.done()
	})
}
