"""Yes and no to the questions of `Confirmations`, by the code that each one gave."""

from __future__ import annotations

from handlers.command import Code, Rest, command
from handlers.context import Context
from handlers.reply import Reply

NO_DIGITS = Rest("")


@command(family="Talk", acts=True, rank=30, example="7K3Q")
async def confirm(ctx: Context, code: Code, digits: Rest = NO_DIGITS) -> Reply:
    """Say yes to a question, with the code it gave.

    code: the four characters that the question showed
    digits: six from your app, where a second factor is set up
    """
    return await ctx.services.confirmations.confirm(ctx.message, code, digits)


@command(family="Talk", acts=True, rank=40, example="7K3Q")
async def cancel(ctx: Context, code: Code) -> Reply:
    """Say no to a question, with the code it gave.

    code: the four characters that the question showed
    """
    return ctx.services.confirmations.cancel(ctx.caller, code)
