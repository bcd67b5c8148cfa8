/* SPDX-License-Identifier: ISC */
#include "mount/flags.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FLAGS_MAX 32

int say(const char *name, int status, const char *format, ...)
{
	va_list args;

	/* what was printed comes before what went wrong */
	fflush(stdout);
	fprintf(stderr, "irminfs%s%s: ", name ? " " : "", name ? name : "");
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	return status;
}

int output_finish(const char *name, int status)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	return say(name, STATUS_ERROR, "cannot write the output: %s",
		   strerror(errno));
}

int parse_number(const char *text, unsigned long least, unsigned long most,
		 unsigned long *ret)
{
	unsigned long value;
	char *end;

	/* strtoul takes signs and blanks */
	if (text[0] < '0' || text[0] > '9')
		return -EINVAL;
	errno = 0;
	value = strtoul(text, &end, 10);
	if (errno || *end || value < least || value > most)
		return -EINVAL;
	*ret = value;
	return 0;
}

/* ---- help ---- */

static void print_flag(const struct flag *f)
{
	char left[40] = "";
	int n = 0;

	if (f->letter)
		n = snprintf(left, sizeof(left), "-%c, ", f->letter);
	else
		n = snprintf(left, sizeof(left), "    ");
	snprintf(left + n, sizeof(left) - n, "--%s%s%s", f->name,
		 f->argument ? "=" : "", f->argument ? f->argument : "");
	printf("  %-22s %s\n", left, f->help);
}

static void print_help(const struct command *self, const struct flag *own,
		       const struct flag *common)
{
	static const struct flag help = { 'h', "help", NULL, "print this" };

	printf("usage: irminfs %s [OPTIONS]%s%s\n\n%s\n\n", self->name,
	       self->operands[0] ? " " : "", self->operands, self->summary);
	for (; own && own->help; own++)
		print_flag(own);
	for (; common && common->help; common++)
		print_flag(common);
	print_flag(&help);
	printf("\nThe manual, irminfs(1), has the details.\n");
}

/* ---- parsing ---- */

struct parser {
	const struct flag *flags[FLAGS_MAX];
	struct option longs[FLAGS_MAX + 2];
	char shorts[2 * FLAGS_MAX + 4];
	int count;
};

static void add_flags(struct parser *p, const struct flag *flags)
{
	char letter[3] = "";

	for (; flags && flags->help && p->count < FLAGS_MAX; flags++) {
		p->flags[p->count] = flags;
		/* known by its place when it has no letter */
		p->longs[p->count] = (struct option){
			.name = flags->name,
			.has_arg = flags->argument ? required_argument :
						     no_argument,
			.val = 256 + p->count,
		};
		if (flags->letter) {
			letter[0] = flags->letter;
			letter[1] = flags->argument ? ':' : '\0';
			strncat(p->shorts, letter,
				sizeof(p->shorts) - strlen(p->shorts) - 1);
		}
		p->count++;
	}
}

static const struct flag *find_flag(const struct parser *p, int key)
{
	if (key >= 256)
		return p->flags[key - 256];
	for (int i = 0; i < p->count; i++)
		if (p->flags[i]->letter == key)
			return p->flags[i];
	return NULL;
}

/* 0, or -E2BIG: given too often. */
static int take_flag(const struct flag *f, const char *argument)
{
	if (f->set) {
		*f->set = true;
	} else if (f->text) {
		*f->text = f->argument ? argument : f->value;
	} else {
		if (f->list->count == FLAG_LIST_MAX)
			return -E2BIG;
		f->list->values[f->list->count++] = argument;
	}
	return 0;
}

static int wrong_usage(const struct command *self)
{
	fprintf(stderr, "usage: irminfs %s [OPTIONS]%s%s (--help says more)\n",
		self->name, self->operands[0] ? " " : "", self->operands);
	return STATUS_USAGE;
}

int flags_parse(const struct command *self, const struct flag *own,
		const struct flag *common, int argc, char **argv, int least,
		int most, struct operands *ret_operands)
{
	struct parser p = { .shorts = "h" };
	const struct flag *f;
	char title[64], *name = argv[0];
	int key;

	add_flags(&p, own);
	add_flags(&p, common);
	p.longs[p.count] = (struct option){ "help", no_argument, NULL, 'h' };
	snprintf(title, sizeof(title), "irminfs %s", name);
	argv[0] = title;		/* begins getopt's messages */
	optind = 0;
	while ((key = getopt_long(argc, argv, p.shorts, p.longs, NULL)) >= 0) {
		if (key == 'h') {
			print_help(self, own, common);
			break;
		}
		f = key == '?' ? NULL : find_flag(&p, key);
		if (!f || take_flag(f, optarg) < 0)
			break;
	}
	argv[0] = name;
	if (key == 'h')
		return output_finish(self->name, STATUS_OK);
	if (key >= 0)
		return wrong_usage(self);
	if (argc - optind < least || argc - optind > most) {
		say(self->name, 0, argc - optind < least ?
		    "something is missing" : "there are too many arguments");
		return wrong_usage(self);
	}
	*ret_operands = (struct operands){ argc - optind, argv + optind };
	return -1;
}
