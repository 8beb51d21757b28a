package awsaccess

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"

	"github.com/aws-root-account/rootbot/ops"
)

// Recorder writes down a call that changes something: before it is made, with no
// outcome, and after. A call whose record can't be written isn't made.
type Recorder func(context.Context, ops.Request, ops.Call) error

// recording has the calls of a request's session recorded, but those that only read.
func recording(record Recorder, r ops.Request, credentials aws.CredentialsProvider) func(*middleware.Stack) error {
	return func(stack *middleware.Stack) error {
		return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("rootbot:record", func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
			call := ops.Call{
				Service: strings.ToLower(awsmiddleware.GetServiceID(ctx)), Action: awsmiddleware.GetOperationName(ctx), Target: target(in.Parameters),
			}
			if reads(call.Action) {
				return next.HandleInitialize(ctx, in)
			}
			// Assuming the role takes its time, and nothing slow may come between the record
			// and the call: what allows it may be somebody else's by then.
			if _, err := credentials.Retrieve(ctx); err != nil {
				return middleware.InitializeOutput{}, middleware.Metadata{}, err
			}
			if err := record(ctx, r, call); ops.Halted(err) {
				return middleware.InitializeOutput{}, middleware.Metadata{}, err
			} else if err != nil {
				return middleware.InitializeOutput{}, middleware.Metadata{}, &ops.Error{
					Kind: ops.Unavailable, Err: err, Passing: true,
					What: "The bot couldn't write " + call.Action + " into its record. It calls nothing that it hasn't recorded.", Next: "Tell the people who run the bot.",
				}
			}
			var made tries
			out, metadata, err := next.HandleInitialize(middleware.WithStackValue(ctx, triesKey{}, &made), in)
			outcome(&call, metadata, err, made.uncertain)
			// It was done, whatever becomes of ctx.
			if noted := record(context.WithoutCancel(ctx), r, call); noted != nil && err == nil {
				err = fmt.Errorf("record that %s was called: %w", call.Action, noted)
			}
			return out, metadata, err
		}), middleware.After)
	}
}

// reading are the beginnings of the names of actions that change nothing.
// https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
var reading = []string{"Get", "List", "Describe", "Lookup", "Filter", "Head", "Search", "Simulate", "BatchGet"}

func reads(action string) bool {
	return slices.ContainsFunc(reading, func(verb string) bool { return strings.HasPrefix(action, verb) })
}

// naming are the ends of the names of parameters that say what is meant.
var naming = []string{"Name", "Arn", "ARN", "Id", "ID", "SerialNumber", "Bucket"}

// target names what a call is about, from those of its parameters that name something.
func target(parameters any) string {
	v := reflect.Indirect(reflect.ValueOf(parameters))
	if v.Kind() != reflect.Struct {
		return ""
	}
	var names []string
	for i := range v.NumField() {
		field := v.Type().Field(i)
		if !field.IsExported() {
			continue
		}
		text, ok := v.Field(i).Interface().(*string)
		if ok && text != nil && slices.ContainsFunc(naming, func(end string) bool { return strings.HasSuffix(field.Name, end) }) {
			names = append(names, field.Name+"="+*text)
		}
	}
	return strings.Join(names, ", ")
}

// outcome words the answer to a call. A call of which one try may
// have been carried out may have been, whatever AWS answered to the next: that a thing
// isn't there any more, for instance.
func outcome(call *ops.Call, metadata middleware.Metadata, err error, uncertain bool) {
	if id, ok := awsmiddleware.GetRequestIDMetadata(metadata); ok {
		call.AWSRequest = id
	}
	response, answered := errors.AsType[*awshttp.ResponseError](err)
	if answered {
		call.AWSRequest = response.ServiceRequestID()
	}
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		call.Fault = api.ErrorCode()
	}
	switch {
	case err == nil:
		call.Outcome = "done"
	case answered && call.Fault != "" && !uncertain:
		call.Outcome = "failed"
	default:
		call.Outcome = "unknown"
	}
}
