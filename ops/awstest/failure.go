package awstest

import (
	"errors"
	"fmt"
)

// failure is an error as AWS answers it.
type failure struct {
	status  int
	code    string
	message string
	fields  map[string]any    // further members of the error, such as ResourceType
	header  map[string]string // further headers of the answer, as S3 has them
	refused bool              // by a policy
}

func (f *failure) Error() string { return f.code + ": " + f.message }

func fail(status int, code, format string, args ...any) *failure {
	return &failure{status: status, code: code, message: fmt.Sprintf(format, args...)}
}

// with adds a member to the error.
func (f *failure) with(name string, value any) *failure {
	if f.fields == nil {
		f.fields = map[string]any{}
	}
	f.fields[name] = value
	return f
}

// asFailure is err as AWS answers it; anything but a failure is a fault of awstest itself.
func asFailure(err error) *failure {
	if f, ok := errors.AsType[*failure](err); ok {
		return f
	}
	return fail(500, "InternalFailure", "awstest: %v", err)
}

// constraint is the message of a parameter that breaks a rule of its shape.
func constraint(member, value, rule string) string {
	return fmt.Sprintf("1 validation error detected: Value '%s' at '%s' failed to satisfy constraint: Member must %s",
		value, member, rule)
}
