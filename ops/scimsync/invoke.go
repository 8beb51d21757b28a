package scimsync

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/awsaccess"
)

// invocation is the one run of the function that belongs to a request.
type invocation struct {
	ID string    `json:"id"` // Lambda's request ID
	At time.Time `json:"at"`
}

// patience is how long Lambda may take to accept an asynchronous invocation.
const patience = 20 * time.Second

// invoke starts the function, asynchronously: its request ID is known at once,
// and nothing hangs on a connection. What Lambda certainly didn't take is tried again
// while the trouble may pass, and nothing else is. Where no answer came, nobody can know from here whether Lambda took the call; then the log is
// looked at for what people need to decide, and the run stops.
// https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
func (o *operation) invoke(ctx context.Context, run ops.Run) error {
	kept, err := planned(ctx, run)
	if err != nil {
		return err
	}
	var inv invocation
	switch done, err := run.Recall(ctx, "invocation", &inv); {
	case err != nil:
		return err
	case done:
		return o.under(kept.Terms).taken(ctx, run, inv)
	}
	var sent time.Time
	if _, err := run.Recall(ctx, "sent", &sent); err != nil {
		return err
	}
	if !sent.IsZero() {
		// A process that died before the call was recorded had not made it.
		switch attempted, err := run.Attempted(ctx, "lambda", "Invoke"); {
		case err != nil:
			return err
		case attempted:
			return o.under(kept.Terms).lost(ctx, run, sent)
		}
	}
	// The desk may have stopped an earlier try, and people have been shown another plan
	// since.
	if kept, err = shownPlan(run); err != nil {
		return err
	}
	return o.under(kept.Terms).call(ctx, run, kept)
}

// call makes the call, once it is known that no other was made.
func (o *operation) call(ctx context.Context, run ops.Run, kept data) error {
	session, err := o.acting(run.Request())
	if err != nil {
		return err
	}
	// A refusal of the role must not look like a lost invocation.
	if _, err := session.Credentials.Retrieve(ctx); err != nil {
		return awsaccess.Explain(fmt.Errorf("assume %s: %w", o.settings.ActRole, err), o.settings.ActRole)
	}
	if kept, err = o.fresh(ctx, run, kept); err != nil {
		return err
	}
	// What holds before the call is what its result is compared with, also if the
	// plan is made again while the function runs.
	if err := run.Remember(ctx, "planned", kept); err != nil {
		return err
	}
	sent := run.Now()
	if err := run.Remember(ctx, "sent", sent); err != nil {
		return err
	}
	var left atomic.Bool
	client := lambda.NewFromConfig(session, func(c *lambda.Options) {
		c.Retryer = aws.NopRetryer{}
		c.APIOptions = append(c.APIOptions, bounded(patience, &left))
	})
	out, err := client.Invoke(ctx, &lambda.InvokeInput{
		FunctionName: aws.String(o.settings.Function), InvocationType: types.InvocationTypeEvent, Payload: []byte("{}"),
	})
	if err != nil && left.Load() && !refused(err) {
		return o.lost(ctx, run, sent)
	}
	if err != nil {
		// It was certainly not taken, so a later try is no second invocation.
		if err := run.Remember(ctx, "sent", time.Time{}); err != nil {
			return err
		}
		if ops.Halted(err) {
			return err
		}
		return o.explainInvoke(err)
	}
	id, _ := awsmiddleware.GetRequestIDMetadata(out.ResultMetadata)
	if id == "" {
		return o.lost(ctx, run, sent)
	}
	inv := invocation{ID: id, At: sent}
	if err := run.Remember(ctx, "invocation", inv); err != nil {
		return err
	}
	return o.taken(ctx, run, inv)
}

// fresh is the plan's data as it is now, where the step has waited since the plan was
// made: what others change in the meantime isn't the run's doing. Whether the run may
// do what is due by then is for the desk to say, which asks before the call.
func (o *operation) fresh(ctx context.Context, run ops.Run, kept data) (data, error) {
	if run.Begun().IsZero() || run.Now().Before(run.Begun().Add(time.Minute)) {
		return kept, nil
	}
	teams, have, err := o.look(ctx, run.Request(), func(string, ...any) {})
	if err != nil {
		return kept, err
	}
	kept.Teams, kept.Before = teams, have
	return kept, nil
}

// bounded gives the call itself so much time, and sets left when it leaves. What
// the desk asks before the call has its own time.
func bounded(patience time.Duration, left *atomic.Bool) func(*middleware.Stack) error {
	return func(stack *middleware.Stack) error {
		limit := middleware.FinalizeMiddlewareFunc("rootbot:patience", func(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (middleware.FinalizeOutput, middleware.Metadata, error) {
			limited, cancel := context.WithTimeout(ctx, patience)
			defer cancel()
			return next.HandleFinalize(limited, in)
		})
		leave := middleware.DeserializeMiddlewareFunc("rootbot:left", func(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (middleware.DeserializeOutput, middleware.Metadata, error) {
			left.Store(true)
			return next.HandleDeserialize(ctx, in)
		})
		return errors.Join(stack.Finalize.Add(limit, middleware.Before), stack.Deserialize.Add(leave, middleware.After))
	}
}

// taken tells that Lambda took the call.
func (o *operation) taken(ctx context.Context, run ops.Run, inv invocation) error {
	return run.Log(ctx, ops.Line{Key: "invoked", At: inv.At, Text: fmt.Sprintf("Lambda took the call: %s, request ID %s.", o.settings.Function, inv.ID)})
}

func (o *operation) explainInvoke(err error) error {
	if _, missing := errors.AsType[*types.ResourceNotFoundException](err); missing {
		return &ops.Error{
			Kind: ops.Unavailable, Err: err,
			What: fmt.Sprintf("There is no Lambda function %s in %s.", o.settings.Function, o.settings.Region),
			Next: "Check operations.scim-sync.function and region in the bot's settings.",
		}
	}
	if _, changing := errors.AsType[*types.ResourceConflictException](err); changing {
		return &ops.Error{
			Kind: ops.Unavailable, Passing: true, Err: err,
			What: fmt.Sprintf("Lambda takes no call of %s now: the function is being changed.", o.settings.Function),
		}
	}
	return awsaccess.Explain(fmt.Errorf("invoke %s: %w", o.settings.Function, err), o.settings.ActRole,
		awsaccess.Named{What: fmt.Sprintf("a function %s in %s", o.settings.Function, o.settings.Region), Setting: "operations.scim-sync.function and region"})
}

// refused tells whether an error proves that Lambda didn't take a call that left:
// it answered with a fault of the request, or no connection was made.
func refused(err error) bool {
	if response, ok := errors.AsType[*smithyhttp.ResponseError](err); ok {
		return response.HTTPStatusCode() >= 400 && response.HTTPStatusCode() < http.StatusInternalServerError
	}
	dial, ok := errors.AsType[*net.OpError](err)
	return ok && dial.Op == "dial"
}

// lost is what is left when it isn't known whether Lambda took the call. Runs
// are told apart by request ID and never by time, so a run that the log shows
// is told to people and not adopted: it may be the scheduled one.
func (o *operation) lost(ctx context.Context, run ops.Run, sent time.Time) error {
	if run.Now().Before(sent.Add(patience)) {
		return ops.Again(2 * time.Second)
	}
	what := fmt.Sprintf("No answer came from Lambda to the call sent at %s UTC, so it isn't known whether %s was run. It was not called a second time.",
		sent.UTC().Format("15:04:05"), o.settings.Function)
	seen, err := o.starts(ctx, run.Request(), sent)
	switch {
	case err != nil:
		what += " Its log couldn't be read either."
	case len(seen) == 0:
		what += " Its log shows no run since then."
	default:
		what += " Its log shows " + ops.Count(len(seen), "run") + " since then: request ID " + strings.Join(seen, ", ") + ". Scheduled runs look the same."
	}
	return &ops.Error{Kind: ops.Unknown, What: what, Next: "Look at Identity Center with /scim-sync plan before running it again.", Err: err}
}
