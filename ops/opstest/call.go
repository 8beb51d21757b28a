package opstest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/aws-root-account/rootbot/ops"
)

// errDead is what a step sees of its memory once its process has died.
var errDead = errors.New("opstest: the process is dead")

// call is the ops.Run of one call of a step.
type call struct {
	walk   *Walk
	begun  time.Time
	cancel context.CancelFunc
	dead   bool // walk.mu guards it
}

func (c *call) Request() ops.Request { return c.walk.Request }
func (c *call) Plan() ops.Plan       { return c.walk.Plan() }
func (c *call) Begun() time.Time     { return c.begun }
func (c *call) Now() time.Time       { return c.walk.now() }

func (c *call) Approvers() []string { return c.walk.Approvers }

func (c *call) MayAct(ctx context.Context) error {
	if c.walk.MayAct == nil {
		return ctx.Err()
	}
	return c.walk.MayAct(ctx)
}

func (c *call) Waiting(ctx context.Context, w ops.Waiting) error {
	return c.write(ctx, func() { c.walk.waits = append(c.walk.waits, w) })
}

func (c *call) OfferUndo(ctx context.Context, until time.Time) error {
	return c.write(ctx, func() { c.walk.offered = until })
}

func (c *call) Log(ctx context.Context, lines ...ops.Line) error {
	if len(lines) == 0 {
		return nil
	}
	now := c.Now()
	return c.write(ctx, func() {
		for _, line := range lines {
			if line.Key != "" && c.walk.told[line.Key] {
				continue
			}
			if c.walk.told == nil {
				c.walk.told = map[string]bool{}
			}
			c.walk.told[line.Key] = true
			if line.At.IsZero() {
				line.At = now
			}
			if line.Level == "" {
				line.Level = ops.Info
			}
			c.walk.lines = append(c.walk.lines, line)
		}
	})
}

func (c *call) Remember(ctx context.Context, key string, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("remember %s: %w", key, err)
	}
	return c.write(ctx, func() {
		if c.walk.memory == nil {
			c.walk.memory = map[string][]byte{}
		}
		c.walk.memory[key] = text
	})
}

func (c *call) Recall(ctx context.Context, key string, v any) (bool, error) {
	c.walk.mu.Lock()
	defer c.walk.mu.Unlock()
	if c.dead {
		return false, errDead
	}
	if err := ctx.Err(); err != nil {
		return false, err
	}
	text, ok := c.walk.memory[key]
	if !ok {
		return false, nil
	}
	if err := json.Unmarshal(text, v); err != nil {
		return false, fmt.Errorf("recall %s: %w", key, err)
	}
	return true, nil
}

// Attempted takes every call for attempted: a walk keeps no record.
func (c *call) Attempted(ctx context.Context, _, _ string) (bool, error) { return true, ctx.Err() }

func (c *call) Remind(ctx context.Context, at time.Time, text string) error {
	return c.write(ctx, func() {
		if c.walk.reminders == nil {
			c.walk.reminders = map[string]time.Time{}
		}
		c.walk.reminders[text] = at
	})
}

func (c *call) Report(ctx context.Context, r ops.Report) error {
	text, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return c.write(ctx, func() { c.walk.report = text })
}

// write does what do says, unless the process dies before it. A write that the
// process didn't live to see confirmed is an error to the step, and yet done.
func (c *call) write(ctx context.Context, do func()) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	c.point()
	c.walk.mu.Lock()
	if c.dead {
		c.walk.mu.Unlock()
		return errDead
	}
	do()
	c.walk.mu.Unlock()
	c.point()
	if c.died() {
		return errDead
	}
	return nil
}

// point is a moment at which the process may die.
func (c *call) point() {
	c.walk.mu.Lock()
	defer c.walk.mu.Unlock()
	if c.dead {
		return
	}
	if c.walk.points++; c.walk.points == c.walk.Kill {
		c.dead = true
		c.cancel()
	}
}

func (c *call) died() bool {
	c.walk.mu.Lock()
	defer c.walk.mu.Unlock()
	return c.dead
}
