package chat_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/bot/slacktest"
	"github.com/aws-root-account/rootbot/ops"
)

// deletes takes a message away, as an administrator of Slack may.
func (o *office) deletes(m slacktest.Message) { o.Delete(m.Channel, m.TS) }

func TestAMessageThatIsGoneHoldsUpNoneThatIsNew(t *testing.T) {
	t.Parallel()
	c := &crew{}
	o := emergency(t, c)
	card := o.proposes(o.ada, ann)
	choice := o.sealed(card, ann)
	for _, key := range []string{"AKIA1", "AKIA2"} {
		c.with(func(c *crew) { c.keys = append(c.keys, key) })
		o.ahead.Add(int64(5 * time.Minute))
		o.quietly()
		o.presses(o.grace, choice, "break-glass")
		o.fills(o.grace, reason("Now."))
		// The plan that was shown goes, and so does the notice.
		o.wait("a notice", func() bool { return len(o.notices()) > 0 })
		o.deletes(choice)
		o.deletes(o.notices()[0])
		choice = o.sealed(card, ann)
	}
	if n := c.runs(ann); n != 0 {
		t.Errorf("it ran %d times", n)
	}
	o.presses(o.grace, choice, "break-glass")
	o.fills(o.grace, reason("Still now."))
	o.wait("a notice that says how it ended", func() bool {
		return slices.ContainsFunc(o.notices(), func(m slacktest.Message) bool {
			return strings.Contains(m.PlainText(), "Still now.") && strings.Contains(m.PlainText(), "Done")
		})
	})
}

func TestTheNoticeCountsOnlyTheApprovalsThatWereMissing(t *testing.T) {
	t.Parallel()
	o := emergency(t, &crew{words: ops.Plan{Approval: ops.Rule{Count: 2}}})
	choice := o.sealed(o.proposes(o.ada, ann), ann)
	o.presses(o.hedy, choice, "approve")
	o.says(choice, "Approved by")
	o.presses(o.grace, choice, "break-glass")
	o.fills(o.grace, reason("Now."))
	contains(t, "the notice", o.notice("Done").PlainText(), "without the 1 approval that it needs")
}

func TestASecondEmergencyOfTheSamePlanIsAsLoud(t *testing.T) {
	t.Parallel()
	c := &crew{keys: []string{"AKIA1"}}
	o := emergency(t, c, func(op *ops.Operation, _ *request.Terms) {
		plan := op.Plan
		op.Plan = func(ctx context.Context, r ops.Request, tell ops.Progress) (ops.Plan, error) {
			p, err := plan(ctx, r, tell)
			p.Facts = nil // how often it was looked at
			return p, err
		}
	})
	card := o.proposes(o.ada, ann)
	o.sealed(card, ann)
	for i, key := range []string{"AKIA2", "AKIA1", "AKIA2"} {
		o.quietly()
		c.with(func(c *crew) { c.keys = []string{key} })
		o.ahead.Add(int64(5 * time.Minute))
		o.presses(o.grace, o.sealed(card, ann), "break-glass")
		o.fills(o.grace, reason(fmt.Sprintf("Now %d.", i)))
		o.wait("another loud notice", func() bool {
			n := o.notices()
			return len(n) == i+1 && strings.Contains(n[i].PlainText(), fmt.Sprintf("Now %d.", i))
		})
		o.wait("another plan", func() bool {
			r := o.request()
			return r.State == request.Waiting && strings.Contains(fmt.Sprint(r.Plan.Steps), key)
		})
	}
	o.fine()
}
